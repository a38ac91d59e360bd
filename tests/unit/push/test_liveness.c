/* push/liveness: stalled means bytes that wait unacknowledged, silent means nothing at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "liveness.h"

static enum liveness_verdict
look(struct liveness *liveness, uint64_t received, uint64_t acknowledged, uint64_t unacknowledged, int64_t now_ms)
{
	const struct liveness_sample sample = {received, acknowledged, unacknowledged};

	return liveness_look(liveness, &sample, now_ms);
}

static void
a_peer_that_acknowledges_nothing_is_stalled(void **state)
{
	struct liveness liveness;

	(void)state;
	liveness_init(&liveness, 1000);
	assert_int_equal(look(&liveness, 1, 100, 500, 2000), LIVENESS_WELL);
	assert_int_equal(look(&liveness, 1, 100, 500, 31999), LIVENESS_WELL);
	assert_int_equal(look(&liveness, 2, 100, 900, 32000), LIVENESS_STALLED); /* what it sends does not help */
}

static void
one_byte_acknowledged_is_enough(void **state)
{
	struct liveness liveness;

	(void)state;
	liveness_init(&liveness, 1000);
	assert_int_equal(look(&liveness, 1, 100, 500, 2000), LIVENESS_WELL);
	assert_int_equal(look(&liveness, 1, 101, 500, 30000), LIVENESS_WELL);
	assert_int_equal(look(&liveness, 1, 101, 500, 59999), LIVENESS_WELL);
	assert_int_equal(look(&liveness, 1, 101, 500, 60000), LIVENESS_STALLED);
}

static void
a_socket_with_nothing_waiting_is_not_stalled(void **state)
{
	struct liveness liveness;

	(void)state;
	liveness_init(&liveness, 1000);
	assert_int_equal(look(&liveness, 1, 100, 500, 2000), LIVENESS_WELL);
	assert_int_equal(look(&liveness, 1, 600, 0, 3000), LIVENESS_WELL);
	assert_int_equal(look(&liveness, 1, 600, 10, 50000), LIVENESS_WELL);
}

static void
a_minute_without_any_sign_is_silent(void **state)
{
	struct liveness liveness;

	(void)state;
	liveness_init(&liveness, 1000);
	assert_int_equal(look(&liveness, 0, 0, 0, 60999), LIVENESS_WELL);
	assert_int_equal(look(&liveness, 0, 0, 0, 61000), LIVENESS_SILENT);
	assert_int_equal(look(&liveness, 1, 0, 0, 62000), LIVENESS_WELL);   /* a pong */
	assert_int_equal(look(&liveness, 1, 50, 0, 100000), LIVENESS_WELL); /* an acknowledgement */
	assert_int_equal(look(&liveness, 1, 50, 0, 159999), LIVENESS_WELL);
	assert_int_equal(look(&liveness, 1, 50, 0, 160000), LIVENESS_SILENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_peer_that_acknowledges_nothing_is_stalled),
		cmocka_unit_test(one_byte_acknowledged_is_enough),
		cmocka_unit_test(a_socket_with_nothing_waiting_is_not_stalled),
		cmocka_unit_test(a_minute_without_any_sign_is_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
