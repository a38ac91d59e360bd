/* The table of rate_limit.c and rate_limit_log_in.c, with the mutex that guards it. Private to the two. */
#ifndef RATE_LIMIT_TABLE_H
#define RATE_LIMIT_TABLE_H

#include <pthread.h>
#include <stdlib.h>

#define uthash_fatal(message) abort()
#include <uthash.h>

#include "rate_limit.h"
#include "redis.h"

enum {
	RATE_KEY_SIZE = RATE_LIMIT_KEY_MAX + 8,
	RATE_FAILURES_CLASS = RATE_CLASS__MAX, /* the first of RATE_FAILURES__MAX */
};

struct entry {
	char key[RATE_KEY_SIZE]; /* class, colon, key */
	bool is_failures;
	enum rate_failures whose;
	int64_t until_us;   /* the arrival time; of failures: when the next attempt may be */
	int64_t kept_us;    /* until then it says something */
	int64_t n_failures; /* with the tries under way */

	bool dirty;             /* in the list of what is to be shared */
	bool forgiven, renewed; /* since it was last shared: a success; a failure, which is kept for the whole time */
	int64_t unshared;       /* microseconds used, or failures */
	struct entry *prev, *next;
	UT_hash_handle hh;
};

struct rate_limiter {
	struct rate_limits limits;
	struct redis *redis; /* NULL: nothing is shared */
	pthread_t thread;

	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t wake;
	struct entry *entries; /* the one touched or looked at longest ago first, roughly */
	struct entry *dirty;
	bool stopping;
};

/* With the mutex held. `make`: it is there afterwards; else NULL when there is none. */
struct entry *rate_limit_find(struct rate_limiter *limiter, int class, const char *key, bool make, int64_t now_us);

/* With the mutex held: the thread will tell Redis that `amount` more was used, and what else the entry says. */
void rate_limit_mark(struct rate_limiter *limiter, struct entry *entry, int64_t amount);

/* With the mutex held: so many wrong passwords by now, the last of them at this moment. */
void rate_limit_set_failures(struct rate_limiter *limiter, struct entry *entry, int64_t n, int64_t now_us);

/* With the mutex held: the failures are remembered for the whole time from now on. */
void rate_limit_keep(struct entry *entry, int64_t now_us);

#endif
