/* How often somebody may do something: GCRA, decided in this process at once, and shared with the other processes through Redis by
 * a thread, so that nobody ever waits for it. Without Redis each process keeps the limits by itself.
 *
 * Also the growing delay after wrong passwords. Who is limited in which class is the callers' (api/limit.c, push/events.c). */
#ifndef RATE_LIMIT_H
#define RATE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

enum rate_class {
	RATE_CLASS_GENERAL,
	RATE_CLASS_SEND,
	RATE_CLASS_SEARCH,
	RATE_CLASS_SIGN_UP,
	RATE_CLASS_LOG_IN,
	RATE_CLASS__MAX,
};

enum {
	RATE_LIMIT_KEY_MAX = 103, /* bytes of a key; what is longer is cut */
	RATE_LIMIT_ENTRIES_MAX =
		65536,                /* keys remembered: against memory that grows with the addresses of an attacker */
	RATE_LIMIT_FREE_FAILURES = 4, /* wrong passwords that cost no delay */
	RATE_LIMIT_FREE_FAILURES_OF_NAME = 50,        /* the same for a name, from all addresses together */
	RATE_LIMIT_DELAY_OF_NAME_MAX_MS = 5000,       /* small: who has a name waits for what others guess of it */
	RATE_LIMIT_FAILURES_KEPT_MS = 15 * 60 * 1000, /* after the last one */
};

/* Whose wrong passwords are counted. */
enum rate_failures {
	RATE_FAILURES_OF_ADDRESS, /* of a name from one address; the key says both */
	RATE_FAILURES_OF_NAME,    /* from all addresses */
	RATE_FAILURES__MAX,
};

enum rate_try_end {
	RATE_TRY_WRONG,
	RATE_TRY_RIGHT,
	RATE_TRY_NOT_MADE, /* nobody looked at the password */
};

struct rate_rule {
	int64_t per_minute; /* 0: not limited */
	int64_t burst;      /* at once, at least 1 */
};

struct rate_limits {
	struct rate_rule rules[RATE_CLASS__MAX];
	int64_t delay_max_ms; /* after wrong passwords; 0: no delay */
};

struct rate_answer {
	bool allowed;
	int64_t limit;          /* the burst; 0: not limited, and nothing else counts */
	int64_t remaining;      /* that would be allowed now */
	int64_t reset_ms;       /* until all of the burst is there again */
	int64_t retry_after_ms; /* until one is allowed; 0 when it was */
};

struct config;
struct rate_limiter;

/* What the settings say. */
struct rate_limits rate_limit_settings(const struct config *config);

/* Starts the thread; Redis need not be there. `redis_url` NULL: nothing is shared, no thread. ERR_INVALID for a bad address. */
MUST_USE enum status rate_limit_create(const struct rate_limits *limits, const char *redis_url,
				       struct rate_limiter **ret_limiter, struct fault *ret_fault);
void rate_limit_destroy(struct rate_limiter *limiter);

/* From here on: any thread; never blocks for longer than a look-up. A limiter that is NULL limits nothing. */

/* Takes one of what `key` may do. What was refused costs nothing. */
void rate_limit_take(struct rate_limiter *limiter, enum rate_class class, const char *key,
		     struct rate_answer *ret_answer);

/* The refusal that such an answer means: ERR_RATE_LIMITED with its retry_after_ms; OK when it was allowed. */
enum status rate_limit_refusal(const struct rate_answer *answer, struct fault *ret_fault);

/* Before a password is looked at: 0, or for how many ms whoever `key` is has to wait. With 0 the try counts as a wrong one until it is
 * told how it ended, so that of those sent at once no more pass than of those sent one after another; that of a process which
 * dies meanwhile counts until it is forgotten like a failure. */
int64_t rate_limit_before_log_in(struct rate_limiter *limiter, enum rate_failures whose, const char *key);

/* The same for one that need not wait. */
void rate_limit_log_in_anyway(struct rate_limiter *limiter, enum rate_failures whose, const char *key);

/* How the try ended. A right one forgives all that the address did; what all addresses did is forgotten with time alone. */
void rate_limit_log_in_ended(struct rate_limiter *limiter, enum rate_failures whose, const char *key,
			     enum rate_try_end end);

/* The arithmetic, for tests with a clock of their own. `*tat_us` is the theoretical arrival time (ITU-T I.371): the time until which
 * what was admitted takes at the sustained rate; unchanged by a refusal. */
void rate_limit_gcra(const struct rate_rule *rule, int64_t now_us, int64_t *tat_us, struct rate_answer *ret_answer);

/* How long to wait after so many wrong passwords, when `delay_max_ms` is the setting. */
int64_t rate_limit_delay_ms(enum rate_failures whose, int64_t n_failures, int64_t delay_max_ms);

#endif
