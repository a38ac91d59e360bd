/* rate_limit: the arithmetic by a table and a clock of its own; two limiters that share a real Redis, and go on without it. */
#include "support/redis_server.h"

#include "base/thread.h"
#include "metrics.h"
#include "rate_limit.h"
#include "rate_limit_table.h"

static struct redis_server server;

static int
set_up(void **state)
{
	(void)state;
	redis_server_init(&server);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	redis_server_finish(&server);
	return 0;
}

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
delays_double(void **state)
{
	static const int64_t expected_ms[] = {0, 0, 0, 0, 0, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};

	(void)state;
	for (size_t i = 0; i < sizeof expected_ms / sizeof expected_ms[0]; i++)
		assert_int_equal(rate_limit_delay_ms(RATE_FAILURES_OF_ADDRESS, (int64_t)i, 60000), expected_ms[i]);
	assert_int_equal(rate_limit_delay_ms(RATE_FAILURES_OF_ADDRESS, INT64_MAX, 60000), 60000);
}

static struct rate_limiter *
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

static struct rate_answer
take(struct rate_limiter *limiter, enum rate_class class, const char *key)
{
	struct rate_answer answer;

	rate_limit_take(limiter, class, key, &answer);
	return answer;
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

/* A wrong password, from its beginning to its end; how long it had to wait instead, in ms. */
static int64_t
fail_once(struct rate_limiter *limiter, enum rate_failures whose, const char *key)
{
	int64_t wait_ms = rate_limit_before_log_in(limiter, whose, key);

	if (wait_ms == 0)
		rate_limit_log_in_ended(limiter, whose, key, RATE_TRY_WRONG);
	return wait_ms;
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

static bool
is_settled(struct rate_limiter *limiter)
{
	pthread_mutex_lock(&limiter->mutex);
	bool settled = !limiter->telling && !limiter->lists[RATE_LIST_DIRTY] && !limiter->lists[RATE_LIST_HELD];
	pthread_mutex_unlock(&limiter->mutex);
	return settled;
}

/* Until nothing is on its way: all that was done is in Redis, and its answers are in the table. What was merely used is lost when Redis
 * doesn't answer in time, on a busy machine: then METRIC_RATE_UNSHARED has grown. */
static void
settle(struct rate_limiter *limiter)
{
	WAIT_FOR(is_settled(limiter));
}

static void
take_shared(struct rate_limiter *limiter, const char *key)
{
	assert_true(take(limiter, RATE_CLASS_SEND, key).allowed);
	settle(limiter);
}

static void
fail_shared(struct rate_limiter *limiter, const char *key)
{
	fail_once(limiter, RATE_FAILURES_OF_ADDRESS, key);
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
		cmocka_unit_test(delays_double),
		cmocka_unit_test(keys_and_classes_are_apart),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test(wrong_passwords_delay_one_key),
		cmocka_unit_test(tries_under_way_count),
		cmocka_unit_test(tries_under_way_stay_in_memory),
		cmocka_unit_test(a_known_device_changes_nobodys_turn),
		cmocka_unit_test(many_wrong_passwords_delay_a_name),
		cmocka_unit_test_setup_teardown(processes_share_through_redis, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_right_password_forgives_at_all_processes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_redis_the_limits_are_local, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_ends_a_try_waits_for_redis, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_last_round_is_told_at_the_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(threads_get_no_more_than_the_burst, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
