/* rate_limit: the arithmetic by a table and a clock of its own; two limiters that share a real Redis, and go on without it. */
#include "support/limiter.h"

#include "base/thread.h"

static void
arrivals_are_judged_by_the_clock(void **state)
{
	/* 60 a minute, three at once. */
	static const struct rate_rule rule = {60, 3};
	static const struct {
		int64_t at_ms;
		bool allowed;
		int64_t remaining, reset_ms, retry_after_ms;
	} cases[] = {
		{5000, true, 2, 1000, 0},     {5000, true, 1, 2000, 0},     {5000, true, 0, 3000, 0},
		{5000, false, 0, 3000, 1000}, {5400, false, 0, 2600, 600},  {5999, false, 0, 2001, 1},
		{6000, true, 0, 3000, 0},     {6000, false, 0, 3000, 1000}, {8500, true, 1, 1500, 0},
		{60000, true, 2, 1000, 0},
	};
	int64_t tat_us = 0;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct rate_answer answer;

		rate_limit_gcra(&rule, cases[i].at_ms * 1000, &tat_us, &answer);
		assert_int_equal(answer.allowed, cases[i].allowed);
		assert_int_equal(answer.limit, 3);
		assert_int_equal(answer.remaining, cases[i].remaining);
		assert_int_equal(answer.reset_ms, cases[i].reset_ms);
		assert_int_equal(answer.retry_after_ms, cases[i].retry_after_ms);
	}
}

/* Whoever comes as often as allowed for an hour gets the rate and the burst, and no more. */
static void
the_rate_holds_over_time(void **state)
{
	static const struct rate_rule rule = {120, 10};
	int64_t tat_us = 0;
	int n = 0;

	(void)state;
	for (int64_t now_ms = 0; now_ms < 60 * 60 * 1000; now_ms += 7) {
		struct rate_answer answer;

		rate_limit_gcra(&rule, now_ms * 1000, &tat_us, &answer);
		n += answer.allowed;
	}
	assert_in_range(n, 7200 + 8, 7200 + 10);
}

static void
keys_and_classes_are_apart(void **state)
{
	struct rate_limiter *limiter = make(NULL);
	struct fault fault = {0};
	struct rate_answer refused;

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_true(take(limiter, RATE_CLASS_SEND, "ann").allowed);
	refused = take(limiter, RATE_CLASS_SEND, "ann");
	assert_false(refused.allowed);
	assert_int_equal(rate_limit_refusal(&refused, &fault), ERR_RATE_LIMITED);
	assert_string_equal(fault.code, "rate_limited");
	assert_int_equal(fault.retry_after_ms, refused.retry_after_ms);
	assert_in_range(refused.retry_after_ms, 50000, 60000);
	assert_true(take(limiter, RATE_CLASS_SEND, "bob").allowed);
	assert_true(take(limiter, RATE_CLASS_SEARCH, "ann").allowed);
	for (int i = 0; i < 100; i++) /* no rule, and no limiter */
		assert_int_equal(take(i % 2 ? limiter : NULL, RATE_CLASS_GENERAL, "ann").limit, 0);
	rate_limit_destroy(limiter);
}

static void
memory_is_bounded(void **state)
{
	struct rate_limiter *limiter = make(NULL);
	char key[32];

	(void)state;
	for (int i = 0; i < RATE_LIMIT_ENTRIES_MAX + 1000; i++) {
		snprintf(key, sizeof key, "address %d", i);
		assert_true(take(limiter, RATE_CLASS_SEND, key).allowed);
	}
	assert_in_range(metrics_get(METRIC_RATE_KEYS), 1, RATE_LIMIT_ENTRIES_MAX);
	rate_limit_destroy(limiter);
}

static void
take_shared(struct rate_limiter *limiter, const char *key)
{
	assert_true(take(limiter, RATE_CLASS_SEND, key).allowed);
	settle(limiter);
}

static void
processes_share_through_redis(void **state)
{
	struct rate_limiter *one, *other;

	(void)state;
	redis_server_start(&server);
	one = make(server.url);
	other = make(server.url);
	int64_t unshared = metrics_get(METRIC_RATE_UNSHARED);
	for (int i = 0; i < 4; i++)
		take_shared(one, "ann");
	/* The other one learns it with its own first. */
	take_shared(other, "ann");
	assert_true(metrics_get(METRIC_RATE_UNSHARED) > unshared || !take(other, RATE_CLASS_SEND, "ann").allowed);
	take_shared(other, "bob");
	rate_limit_destroy(one);
	rate_limit_destroy(other);
}

static void
without_redis_the_limits_are_local(void **state)
{
	struct rate_limiter *limiter;
	int64_t unshared = metrics_get(METRIC_RATE_UNSHARED), began_ms;

	(void)state;
	redis_server_start(&server);
	limiter = make(server.url);
	assert_true(take(limiter, RATE_CLASS_SEND, "ann").allowed);
	kill(server.pid, SIGSTOP); /* it doesn't answer */
	began_ms = clock_monotonic_ms();
	for (int i = 0; i < 4; i++)
		assert_true(take(limiter, RATE_CLASS_SEND, "ann").allowed);
	assert_false(take(limiter, RATE_CLASS_SEND, "ann").allowed);
	print_message("five decisions beside a stalled Redis: %lld ms\n", (long long)(clock_monotonic_ms() - began_ms));
	WAIT_FOR(metrics_get(METRIC_RATE_UNSHARED) > unshared);
	redis_server_stop(&server);
	assert_true(take(limiter, RATE_CLASS_SEND, "bob").allowed);
	rate_limit_destroy(limiter);
}

enum { N_THREADS = 4 };

static void *
take_many(void *argument)
{
	intptr_t n_allowed = 0;

	for (int i = 0; i < 500; i++) {
		n_allowed += take(argument, RATE_CLASS_SEND, "ann").allowed;
		fail_once(argument, RATE_FAILURES_OF_ADDRESS, "here ann");
		rate_limit_before_log_in(argument, RATE_FAILURES_OF_ADDRESS, "here ann");
		rate_limit_log_in_ended(argument, RATE_FAILURES_OF_ADDRESS, "here ann",
					i % 2 ? RATE_TRY_RIGHT : RATE_TRY_NOT_MADE);
	}
	return (void *)n_allowed;
}

static void
threads_get_no_more_than_the_burst(void **state)
{
	pthread_t threads[N_THREADS];
	struct rate_limiter *limiter;
	intptr_t n_allowed = 0;

	(void)state;
	redis_server_start(&server);
	limiter = make(server.url);
	for (int i = 0; i < N_THREADS; i++)
		threads[i] = thread_start("take", take_many, limiter);
	for (int i = 0; i < N_THREADS; i++) {
		void *n;

		pthread_join(threads[i], &n);
		n_allowed += (intptr_t)n;
	}
	assert_int_equal(n_allowed, 5);
	rate_limit_destroy(limiter);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arrivals_are_judged_by_the_clock),
		cmocka_unit_test(the_rate_holds_over_time),
		cmocka_unit_test(keys_and_classes_are_apart),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test_setup_teardown(processes_share_through_redis, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_redis_the_limits_are_local, set_up, tear_down),
		cmocka_unit_test_setup_teardown(threads_get_no_more_than_the_burst, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
