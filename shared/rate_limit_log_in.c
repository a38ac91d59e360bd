/* The growing delay after wrong passwords: see rate_limit.h. A try is counted when it begins and settled when it ends. */
#include "base/clock.h"
#include "metrics.h"
#include "rate_limit_table.h"

int64_t
rate_limit_delay_ms(enum rate_failures whose, int64_t n_failures, int64_t delay_max_ms)
{
	static const struct {
		int64_t n_free, max_ms;
	} rules[RATE_FAILURES__MAX] = {
		[RATE_FAILURES_OF_ADDRESS] = {RATE_LIMIT_FREE_FAILURES, INT64_MAX},
		[RATE_FAILURES_OF_NAME] = {RATE_LIMIT_FREE_FAILURES_OF_NAME, RATE_LIMIT_DELAY_OF_NAME_MAX_MS},
	};
	int64_t doublings = n_failures - rules[whose].n_free - 1;
	int64_t max_ms = delay_max_ms < rules[whose].max_ms ? delay_max_ms : rules[whose].max_ms;

	if (doublings < 0)
		return 0;
	return doublings > 12 || (int64_t)1000 << doublings > max_ms ? max_ms : (int64_t)1000 << doublings;
}

void
rate_limit_set_failures(struct rate_limiter *limiter, struct entry *entry, int64_t n, int64_t now_us)
{
	int64_t until_us = now_us + rate_limit_delay_ms(entry->whose, n, limiter->limits.delay_max_ms) * 1000;

	entry->n_failures = n;
	entry->until_us = until_us > entry->until_us ? until_us : entry->until_us;
	entry->before_us = entry->until_us;
}

void
rate_limit_keep(struct entry *entry, int64_t now_us)
{
	entry->kept_us = now_us + (int64_t)RATE_LIMIT_FAILURES_KEPT_MS * 1000;
}

enum { ASK_PAUSE_US = 50 * 1000 };

/* With the mutex held. A refusal asks what the other processes know by now: a right password there, or more wrong ones. */
static void
ask_others(struct rate_limiter *limiter, struct entry *entry, int64_t now_us)
{
	if (now_us - entry->asked_us < ASK_PAUSE_US)
		return;
	entry->asked_us = now_us;
	rate_limit_mark(limiter, entry, 0);
}

/* With the mutex held. A try counts as wrong from its beginning, or those that are sent at once would all be free. One that need not
 * wait takes nobody's turn either. */
static void
count_try(struct rate_limiter *limiter, struct entry *entry, bool takes_turn, int64_t now_us)
{
	int64_t before_us = entry->until_us;

	rate_limit_set_failures(limiter, entry, entry->n_failures + 1, now_us);
	entry->before_us = before_us;
	if (!takes_turn)
		entry->until_us = before_us;
	entry->n_under_way++;
	rate_limit_mark(limiter, entry, 1);
}

static int64_t
begin_try(struct rate_limiter *limiter, enum rate_failures whose, const char *key, bool must_wait)
{
	int64_t now_us = clock_monotonic_us(), wait_us = 0;

	if (!limiter || limiter->limits.delay_max_ms == 0)
		return 0;
	pthread_mutex_lock(&limiter->mutex);
	struct entry *entry = rate_limit_find(limiter, RATE_FAILURES_CLASS + (int)whose, key, true, now_us);

	if (entry->kept_us <= now_us)
		entry->n_failures = 0;
	if (entry->n_failures == 0)
		rate_limit_keep(entry, now_us);
	if (must_wait && rate_limit_delay_ms(whose, entry->n_failures + 1, limiter->limits.delay_max_ms) > 0)
		wait_us = entry->until_us - now_us;
	if (wait_us > 0)
		ask_others(limiter, entry, now_us);
	else
		count_try(limiter, entry, must_wait, now_us);
	pthread_mutex_unlock(&limiter->mutex);
	if (wait_us > 0)
		metrics_add(METRIC_RATE_REFUSED, 1);
	return wait_us > 0 ? (wait_us + 999) / 1000 : 0;
}

int64_t
rate_limit_before_log_in(struct rate_limiter *limiter, enum rate_failures whose, const char *key)
{
	return begin_try(limiter, whose, key, true);
}

void
rate_limit_log_in_anyway(struct rate_limiter *limiter, enum rate_failures whose, const char *key)
{
	begin_try(limiter, whose, key, false);
}

/* With the mutex held. It has been counted, unless another one has been right meanwhile. */
static void
fail(struct rate_limiter *limiter, struct entry *entry, int64_t now_us)
{
	bool is_counted = entry->n_failures > 0;

	rate_limit_set_failures(limiter, entry, is_counted ? entry->n_failures : 1, now_us);
	rate_limit_keep(entry, now_us);
	entry->renewed = true;
	rate_limit_mark(limiter, entry, is_counted ? 0 : 1);
}

/* With the mutex held. After one that was not made the next one may come when this one could; after a right one there is no hurry. */
static void
give_back(struct rate_limiter *limiter, struct entry *entry, bool was_made)
{
	if (entry->n_failures == 0)
		return;
	entry->n_failures--;
	if (!was_made)
		entry->until_us = entry->before_us;
	if (entry->n_failures == 0)
		entry->kept_us = 0;
	rate_limit_mark(limiter, entry, -1);
}

/* With the mutex held. */
static void
forgive(struct rate_limiter *limiter, struct entry *entry)
{
	entry->n_failures = entry->until_us = entry->before_us = entry->kept_us = 0;
	entry->forgiven = true;
	entry->renewed = false;
	rate_limit_mark(limiter, entry, -entry->unshared);
}

void
rate_limit_log_in_ended(struct rate_limiter *limiter, enum rate_failures whose, const char *key, enum rate_try_end end)
{
	int64_t now_us = clock_monotonic_us();

	if (!limiter || limiter->limits.delay_max_ms == 0)
		return;
	pthread_mutex_lock(&limiter->mutex);
	struct entry *entry = rate_limit_find(limiter, RATE_FAILURES_CLASS + (int)whose, key, false, now_us);

	if (entry && entry->n_under_way > 0)
		entry->n_under_way--;
	if (entry && end == RATE_TRY_WRONG)
		fail(limiter, entry, now_us);
	else if (entry && end == RATE_TRY_RIGHT && whose == RATE_FAILURES_OF_ADDRESS)
		forgive(limiter, entry);
	else if (entry)
		give_back(limiter, entry, end == RATE_TRY_RIGHT);
	pthread_mutex_unlock(&limiter->mutex);
}
