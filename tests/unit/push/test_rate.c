/* push/rate: the burst, the sustained rate, and when patience ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rate.h"

static const struct rate_limit limit = {.per_second = 20, .burst = 60};

static enum rate_verdict
take(struct rate *rate, int64_t now_ms)
{
	int64_t retry_after_ms;

	return rate_take(rate, &limit, now_ms, &retry_after_ms);
}

static void
a_burst_then_the_rate(void **state)
{
	struct rate rate;
	int64_t retry_after_ms = 0;
	int n = 0;

	(void)state;
	rate_init(&rate, &limit, 1000);
	for (int i = 0; i < 60; i++)
		assert_int_equal(take(&rate, 1000), RATE_WITHIN);
	assert_int_equal(rate_take(&rate, &limit, 1000, &retry_after_ms), RATE_OVER);
	assert_int_equal(retry_after_ms, 50);
	assert_int_equal(take(&rate, 1000 + retry_after_ms), RATE_WITHIN);
	for (int64_t now_ms = 1051; now_ms < 3050; now_ms++)
		n += take(&rate, now_ms) == RATE_WITHIN;
	assert_in_range(n, 39, 40);
}

static void
rest_fills_the_bucket_and_no_more(void **state)
{
	struct rate rate;
	int n = 0;

	(void)state;
	rate_init(&rate, &limit, 1000);
	while (take(&rate, 1000) == RATE_WITHIN)
		;
	while (take(&rate, 1000000) == RATE_WITHIN)
		n++;
	assert_int_equal(n, 60);
}

static void
five_seconds_over_it_are_abuse(void **state)
{
	struct rate rate;
	int64_t now_ms = 1000;
	enum rate_verdict verdict;

	(void)state;
	rate_init(&rate, &limit, now_ms);
	do
		verdict = take(&rate, now_ms++);
	while (verdict != RATE_ABUSE && now_ms < 60000);
	assert_in_range(now_ms, 1000 + RATE_PATIENCE_MS, 1000 + RATE_PATIENCE_MS + 200);
}

static void
a_pause_starts_the_patience_anew(void **state)
{
	struct rate rate;
	int64_t now_ms = 1000;

	(void)state;
	rate_init(&rate, &limit, now_ms);
	for (int round = 0; round < 10; round++) {
		for (int64_t end_ms = now_ms + 3000; now_ms < end_ms; now_ms++)
			assert_int_not_equal(take(&rate, now_ms), RATE_ABUSE);
		now_ms += RATE_PAUSE_MS + 1;
	}
}

static void
a_large_limit_does_not_overflow(void **state)
{
	static const struct rate_limit large = {.per_second = 10000000, .burst = 10000000};
	struct rate rate;
	int64_t retry_after_ms;

	(void)state;
	rate_init(&rate, &large, 1);
	assert_int_equal(rate_take(&rate, &large, INT64_MAX / 2, &retry_after_ms), RATE_WITHIN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_then_the_rate),           cmocka_unit_test(rest_fills_the_bucket_and_no_more),
		cmocka_unit_test(five_seconds_over_it_are_abuse),  cmocka_unit_test(a_pause_starts_the_patience_anew),
		cmocka_unit_test(a_large_limit_does_not_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
