/* push/admission: the rate of accepts, and the cap of handshakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admission.h"

static const struct rate_limit five_a_second = {.per_second = 5, .burst = 10};

static int
take_all(struct admission *admission, int64_t now_ms)
{
	int n = 0;

	while (n < 1000 && admission_take(admission, now_ms))
		n++;
	return n;
}

static void
the_burst_comes_in_then_the_rate(void **state)
{
	struct admission admission;

	(void)state;
	admission_init(&admission, &five_a_second, 1000, 0);
	assert_int_equal(take_all(&admission, 0), 10);
	assert_int_equal(take_all(&admission, 199), 0);
	assert_int_equal(take_all(&admission, 200), 1);
	assert_int_equal(take_all(&admission, 1200), 5);
	assert_int_equal(take_all(&admission, 100000), 10);
}

/* Somebody who is refused again and again is no reason to refuse for ever. */
static void
refusals_cost_no_token(void **state)
{
	struct admission admission;

	(void)state;
	admission_init(&admission, &five_a_second, 1000, 0);
	assert_int_equal(take_all(&admission, 0), 10);
	for (int64_t now_ms = 1; now_ms < 200; now_ms++)
		assert_false(admission_take(&admission, now_ms));
	assert_true(admission_take(&admission, 200));
}

static void
handshakes_that_end_make_room(void **state)
{
	struct admission admission;

	(void)state;
	admission_init(&admission, &(struct rate_limit){1000, 1000}, 3, 0);
	assert_int_equal(take_all(&admission, 0), 3);
	assert_false(admission_take(&admission, 500));
	admission_over(&admission);
	assert_int_equal(take_all(&admission, 500), 1);
	admission_over(&admission);
	admission_over(&admission);
	admission_over(&admission);
	assert_int_equal(admission.n_handshakes, 0);
	assert_int_equal(take_all(&admission, 500), 3);
}

/* A cap that is reached for long must not use up the tokens. */
static void
a_full_house_takes_no_token(void **state)
{
	struct admission admission;

	(void)state;
	admission_init(&admission, &five_a_second, 1, 0);
	assert_true(admission_take(&admission, 0));
	for (int i = 0; i < 50; i++)
		assert_false(admission_take(&admission, 0));
	for (int i = 0; i < 9; i++) {
		admission_over(&admission);
		assert_true(admission_take(&admission, 0));
	}
	admission_over(&admission);
	assert_false(admission_take(&admission, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_burst_comes_in_then_the_rate),
		cmocka_unit_test(refusals_cost_no_token),
		cmocka_unit_test(handshakes_that_end_make_room),
		cmocka_unit_test(a_full_house_takes_no_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
