/* For unit tests of rate_limit: a limiter with small limits, by itself or beside a private Redis, and waiting until it has told all. */
#ifndef TESTS_SUPPORT_LIMITER_H
#define TESTS_SUPPORT_LIMITER_H

#include "support/redis_server.h"

#include "metrics.h"
#include "rate_limit.h"
#include "rate_limit_table.h"

static struct redis_server server;

static inline int
set_up(void **state)
{
	(void)state;
	redis_server_init(&server);
	return 0;
}

static inline int
tear_down(void **state)
{
	(void)state;
	redis_server_finish(&server);
	return 0;
}

static inline struct rate_limiter *
make(const char *url)
{
	static const struct rate_limits limits = {
		.rules[RATE_CLASS_SEND] = {1, 5},
		.rules[RATE_CLASS_SEARCH] = {1, 2},
		.delay_max_ms = 60000,
	};
	struct rate_limiter *limiter;

	assert_int_equal(rate_limit_create(&limits, url, &limiter, NULL), OK);
	return limiter;
}

static inline struct rate_answer
take(struct rate_limiter *limiter, enum rate_class class, const char *key)
{
	struct rate_answer answer;

	rate_limit_take(limiter, class, key, &answer);
	return answer;
}

static inline bool
is_settled(struct rate_limiter *limiter)
{
	pthread_mutex_lock(&limiter->mutex);
	bool settled = !limiter->telling && !limiter->lists[RATE_LIST_DIRTY] && !limiter->lists[RATE_LIST_HELD];
	pthread_mutex_unlock(&limiter->mutex);
	return settled;
}

/* Until nothing is on its way: all that was done is in Redis, and its answers are in the table. What was merely used is lost when Redis
 * doesn't answer in time, on a busy machine: then METRIC_RATE_UNSHARED has grown. */
static inline void
settle(struct rate_limiter *limiter)
{
	WAIT_FOR(is_settled(limiter));
}

/* A wrong password, from its beginning to its end; how long it had to wait instead, in ms. */
static inline int64_t
fail_once(struct rate_limiter *limiter, enum rate_failures whose, const char *key)
{
	int64_t wait_ms = rate_limit_before_log_in(limiter, whose, key);

	if (wait_ms == 0)
		rate_limit_log_in_ended(limiter, whose, key, RATE_TRY_WRONG);
	return wait_ms;
}

#endif
