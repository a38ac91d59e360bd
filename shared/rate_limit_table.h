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

/* What of an entry is to be told to Redis. */
enum rate_list {
	RATE_LIST_NONE,
	RATE_LIST_DIRTY, /* with the next round */
	RATE_LIST_HELD,  /* failures that Redis did not take: when it is back */
	RATE_LIST__MAX,
};

struct entry {
	char key[RATE_KEY_SIZE]; /* class, colon, key */
	bool is_failures;
	enum rate_failures whose;
	int64_t until_us;    /* the arrival time; of failures: when the next attempt may be */
	int64_t before_us;   /* what that was before the newest try that is under way */
	int64_t asked_us;    /* when it was last shared for a refusal's sake */
	int64_t kept_us;     /* until then it says something */
	int64_t n_failures;  /* with the tries under way */
	int64_t n_forgiven;  /* how often Redis says that they were forgiven */
	int64_t n_under_way; /* an entry with any is not dropped, or their ends would find nothing to settle */

	enum rate_list list;
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
	struct entry *entries;               /* the one touched or looked at longest ago first, roughly */
	struct entry *lists[RATE_LIST__MAX]; /* that of RATE_LIST_NONE stays empty */
	int64_t held_until_us;               /* what is held is tried again then */
	bool telling;                        /* a round is under way */
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
