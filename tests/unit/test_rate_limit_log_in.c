/* rate_limit: the delay after wrong passwords, in one process, between two that share a real Redis, and when that is silent. */
#include "support/limiter.h"

static void
delays_double(void **state)
{
	static const int64_t expected_ms[] = {0, 0, 0, 0, 0, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};

	(void)state;
	for (size_t i = 0; i < sizeof expected_ms / sizeof expected_ms[0]; i++)
		assert_int_equal(rate_limit_delay_ms(RATE_FAILURES_OF_ADDRESS, (int64_t)i, 60000), expected_ms[i]);
	assert_int_equal(rate_limit_delay_ms(RATE_FAILURES_OF_ADDRESS, INT64_MAX, 60000), 60000);
}

static void
wrong_passwords_delay_one_key(void **state)
{
	struct rate_limiter *limiter = make(NULL);

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_int_equal(fail_once(limiter, RATE_FAILURES_OF_ADDRESS, "here ann"), 0);
	assert_in_range(fail_once(limiter, RATE_FAILURES_OF_ADDRESS, "here ann"), 900, 1000);
	assert_int_equal(fail_once(limiter, RATE_FAILURES_OF_ADDRESS, "elsewhere ann"), 0);
	rate_limit_log_in_ended(limiter, RATE_FAILURES_OF_ADDRESS, "here ann", RATE_TRY_RIGHT);
	assert_int_equal(fail_once(limiter, RATE_FAILURES_OF_ADDRESS, "here ann"), 0);
	rate_limit_destroy(limiter);
}

/* Of those sent at once as many pass as of those sent one after another, before it is known how they end. */
static void
tries_under_way_count(void **state)
{
	struct rate_limiter *limiter = make(NULL);
	int n_passed = 0;

	(void)state;
	for (int i = 0; i < 40; i++)
		n_passed += rate_limit_before_log_in(limiter, RATE_FAILURES_OF_ADDRESS, "here ann") == 0;
	assert_int_equal(n_passed, 5);
	/* One that nobody looked at gives its place to another one, and no more. */
	rate_limit_log_in_ended(limiter, RATE_FAILURES_OF_ADDRESS, "here ann", RATE_TRY_NOT_MADE);
	assert_int_equal(rate_limit_before_log_in(limiter, RATE_FAILURES_OF_ADDRESS, "here ann"), 0);
	assert_in_range(rate_limit_before_log_in(limiter, RATE_FAILURES_OF_ADDRESS, "here ann"), 900, 1000);
	/* A right one frees the address. */
	rate_limit_log_in_ended(limiter, RATE_FAILURES_OF_ADDRESS, "here ann", RATE_TRY_RIGHT);
	for (int i = 0; i < 4; i++)
		rate_limit_log_in_ended(limiter, RATE_FAILURES_OF_ADDRESS, "here ann", RATE_TRY_NOT_MADE);
	assert_int_equal(rate_limit_before_log_in(limiter, RATE_FAILURES_OF_ADDRESS, "here ann"), 0);
	/* The right ones leave nothing behind at a name, also of those that did not have to ask. */
	for (int i = 0; i < 200; i++) {
		if (i % 2)
			rate_limit_log_in_anyway(limiter, RATE_FAILURES_OF_NAME, "ann");
		else
			assert_int_equal(rate_limit_before_log_in(limiter, RATE_FAILURES_OF_NAME, "ann"), 0);
		rate_limit_log_in_ended(limiter, RATE_FAILURES_OF_NAME, "ann", RATE_TRY_RIGHT);
	}
	rate_limit_destroy(limiter);
}

/* More keys than are remembered come while five tries are under way: their ends still find them. */
static void
tries_under_way_stay_in_memory(void **state)
{
	struct rate_limiter *limiter = make(NULL);
	char key[32];

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_int_equal(rate_limit_before_log_in(limiter, RATE_FAILURES_OF_ADDRESS, "here ann"), 0);
	for (int i = 0; i < 2 * RATE_LIMIT_ENTRIES_MAX; i++) { /* each is looked at several times */
		snprintf(key, sizeof key, "address %d ann", i);
		assert_int_equal(fail_once(limiter, RATE_FAILURES_OF_ADDRESS, key), 0);
	}
	assert_in_range(metrics_get(METRIC_RATE_KEYS), 1, RATE_LIMIT_ENTRIES_MAX);
	for (int i = 0; i < 5; i++)
		rate_limit_log_in_ended(limiter, RATE_FAILURES_OF_ADDRESS, "here ann", RATE_TRY_WRONG);
	assert_in_range(rate_limit_before_log_in(limiter, RATE_FAILURES_OF_ADDRESS, "here ann"), 1, 1000);
	rate_limit_destroy(limiter);
}

/* At a name under attack one try in all passes per delay; a right one that does not have to wait opens the way for nobody, and
 * takes nobody's turn. */
static void
a_known_device_changes_nobodys_turn(void **state)
{
	struct rate_limiter *limiter = make(NULL);

	(void)state;
	for (int i = 0; i < 60; i++)
		rate_limit_log_in_anyway(limiter, RATE_FAILURES_OF_NAME, "ann");
	assert_int_equal(rate_limit_before_log_in(limiter, RATE_FAILURES_OF_NAME, "ann"), 0);
	int64_t wait_ms = rate_limit_before_log_in(limiter, RATE_FAILURES_OF_NAME, "ann");
	assert_in_range(wait_ms, 4000, 5000);
	rate_limit_log_in_ended(limiter, RATE_FAILURES_OF_NAME, "ann", RATE_TRY_RIGHT);
	assert_in_range(rate_limit_before_log_in(limiter, RATE_FAILURES_OF_NAME, "ann"), 1000, wait_ms);
	rate_limit_log_in_anyway(limiter, RATE_FAILURES_OF_NAME, "ann");
	rate_limit_log_in_ended(limiter, RATE_FAILURES_OF_NAME, "ann", RATE_TRY_NOT_MADE);
	assert_in_range(rate_limit_before_log_in(limiter, RATE_FAILURES_OF_NAME, "ann"), 1000, wait_ms);
	rate_limit_log_in_anyway(limiter, RATE_FAILURES_OF_NAME, "ann");
	rate_limit_log_in_ended(limiter, RATE_FAILURES_OF_NAME, "ann", RATE_TRY_RIGHT);
	assert_in_range(rate_limit_before_log_in(limiter, RATE_FAILURES_OF_NAME, "ann"), 1000, wait_ms);
	rate_limit_destroy(limiter);
}

/* All guesses at a name count, wherever they come from; the wait stays small, and a success elsewhere does not forgive them. */
static void
many_wrong_passwords_delay_a_name(void **state)
{
	static const int64_t delays[] = {0, 1000, 2000, 4000, 5000, 5000};
	struct rate_limiter *limiter = make(NULL);

	(void)state;
	for (int i = 0; i < 6; i++)
		assert_int_equal(rate_limit_delay_ms(RATE_FAILURES_OF_NAME, 50 + i, 60000), delays[i]);
	assert_int_equal(rate_limit_delay_ms(RATE_FAILURES_OF_NAME, 1000, 2000), 2000);
	assert_int_equal(rate_limit_delay_ms(RATE_FAILURES_OF_NAME, 1000, 0), 0);
	for (int i = 0; i < 51; i++)
		assert_int_equal(fail_once(limiter, RATE_FAILURES_OF_NAME, "ann"), 0);
	rate_limit_log_in_ended(limiter, RATE_FAILURES_OF_ADDRESS, "ann", RATE_TRY_RIGHT);
	assert_in_range(rate_limit_before_log_in(limiter, RATE_FAILURES_OF_NAME, "ann"), 1, 1000);
	assert_int_equal(rate_limit_before_log_in(limiter, RATE_FAILURES_OF_NAME, "bob"), 0);
	assert_int_equal(rate_limit_before_log_in(limiter, RATE_FAILURES_OF_ADDRESS, "ann"), 0);
	rate_limit_destroy(limiter);
}

static void
fail_shared(struct rate_limiter *limiter, const char *key)
{
	fail_once(limiter, RATE_FAILURES_OF_ADDRESS, key);
	settle(limiter);
}

static void
failures_are_shared_through_redis(void **state)
{
	struct rate_limiter *one, *other;

	(void)state;
	redis_server_start(&server);
	one = make(server.url);
	other = make(server.url);
	for (int i = 0; i < 5; i++)
		fail_shared(one, "here ann");
	fail_shared(other, "here ann");
	assert_true(rate_limit_before_log_in(other, RATE_FAILURES_OF_ADDRESS, "here ann") > 1000);
	rate_limit_destroy(one);
	rate_limit_destroy(other);
}

/* Who was right at one process waits at none: the others learn it when they refuse, and do not open a turn that is another's. */
static void
a_right_password_forgives_at_all_processes(void **state)
{
	struct rate_limiter *one, *other;

	(void)state;
	redis_server_start(&server);
	one = make(server.url);
	other = make(server.url);
	for (int i = 0; i < 12; i++)
		rate_limit_log_in_anyway(one, RATE_FAILURES_OF_ADDRESS, "here ann");
	settle(one);
	assert_int_equal(rate_limit_before_log_in(other, RATE_FAILURES_OF_ADDRESS, "here ann"), 0);
	settle(other);
	rate_limit_log_in_ended(other, RATE_FAILURES_OF_ADDRESS, "here ann", RATE_TRY_NOT_MADE);
	assert_in_range(rate_limit_before_log_in(other, RATE_FAILURES_OF_ADDRESS, "here ann"), 50000, 60000);
	rate_limit_log_in_ended(one, RATE_FAILURES_OF_ADDRESS, "here ann", RATE_TRY_RIGHT);
	settle(one);
	WAIT_FOR(rate_limit_before_log_in(other, RATE_FAILURES_OF_ADDRESS, "here ann") == 0);
	rate_limit_destroy(one);
	rate_limit_destroy(other);
}

/* Five tries under way that are in Redis, which then stops answering; the breaker is open, so that nothing more is sent to it. */
static struct rate_limiter *
five_tries_then_silence(void)
{
	struct rate_limiter *limiter;

	redis_server_start(&server);
	limiter = make(server.url);
	for (int i = 0; i < 5; i++)
		assert_int_equal(rate_limit_before_log_in(limiter, RATE_FAILURES_OF_ADDRESS, "here ann"), 0);
	settle(limiter);
	int64_t unshared = metrics_get(METRIC_RATE_UNSHARED);
	kill(server.pid, SIGSTOP);
	take(limiter, RATE_CLASS_SEND, "ann");
	WAIT_FOR(metrics_get(METRIC_RATE_UNSHARED) > unshared);
	return limiter;
}

/* How many tries pass in a process that has heard of the others with its first one. */
static int
count_free_elsewhere(void)
{
	struct rate_limiter *other = make(server.url);
	int n_passed = 0;

	for (int i = 0; i < 6; i++) {
		n_passed += rate_limit_before_log_in(other, RATE_FAILURES_OF_ADDRESS, "here ann") == 0;
		settle(other);
	}
	rate_limit_destroy(other);
	return n_passed;
}

static void
what_ends_a_try_waits_for_redis(void **state)
{
	static const struct {
		enum rate_try_end end;
		int n_ended, n_free_elsewhere;
	} cases[] = {{RATE_TRY_RIGHT, 1, 5},
		     {RATE_TRY_NOT_MADE, 5, 5},
		     {RATE_TRY_NOT_MADE, 2, 2},
		     {RATE_TRY_WRONG, 5, 1}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct rate_limiter *limiter = five_tries_then_silence();
		int64_t unshared = metrics_get(METRIC_RATE_UNSHARED);

		for (int n = 0; n < cases[i].n_ended; n++)
			rate_limit_log_in_ended(limiter, RATE_FAILURES_OF_ADDRESS, "here ann", cases[i].end);
		WAIT_FOR(metrics_get(METRIC_RATE_UNSHARED) > unshared);
		kill(server.pid, SIGCONT);
		settle(limiter);
		assert_int_equal(count_free_elsewhere(), cases[i].n_free_elsewhere);
		rate_limit_destroy(limiter);
		redis_server_stop(&server);
	}
}

static void
the_last_round_is_told_at_the_end(void **state)
{
	struct rate_limiter *limiter;

	(void)state;
	redis_server_start(&server);
	limiter = make(server.url);
	for (int i = 0; i < 5; i++)
		assert_int_equal(rate_limit_before_log_in(limiter, RATE_FAILURES_OF_ADDRESS, "here ann"), 0);
	settle(limiter);
	rate_limit_log_in_ended(limiter, RATE_FAILURES_OF_ADDRESS, "here ann", RATE_TRY_RIGHT);
	rate_limit_destroy(limiter);
	assert_int_equal(count_free_elsewhere(), 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delays_double),
		cmocka_unit_test(wrong_passwords_delay_one_key),
		cmocka_unit_test(tries_under_way_count),
		cmocka_unit_test(tries_under_way_stay_in_memory),
		cmocka_unit_test(a_known_device_changes_nobodys_turn),
		cmocka_unit_test(many_wrong_passwords_delay_a_name),
		cmocka_unit_test_setup_teardown(failures_are_shared_through_redis, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_right_password_forgives_at_all_processes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_ends_a_try_waits_for_redis, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_last_round_is_told_at_the_end, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
