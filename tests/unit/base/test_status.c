/* base/status: faults and what is said of a status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/status.h"

static void
every_status_has_a_name(void **state)
{
	(void)state;
	for (int i = 0; i < STATUS__MAX; i++) {
		assert_non_null(status_name((enum status)i));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(status_name((enum status)i), status_name((enum status)j));
	}
	assert_string_equal(status_name(ERR_NOT_FOUND), "not_found");
}

static void
only_passing_troubles_are_retryable(void **state)
{
	(void)state;
	for (int i = 0; i < STATUS__MAX; i++)
		assert_int_equal(status_is_retryable((enum status)i), i == ERR_RATE_LIMITED || i == ERR_UNAVAILABLE);
}

static void
fault_is_filled_and_its_status_returned(void **state)
{
	struct fault fault;

	(void)state;
	assert_int_equal(fault_set(&fault, ERR_CONFLICT, "id_reused", "id", "%d of %s", 7, "these"), ERR_CONFLICT);
	assert_int_equal(fault.status, ERR_CONFLICT);
	assert_string_equal(fault.code, "id_reused");
	assert_string_equal(fault.field, "id");
	assert_string_equal(fault.detail, "7 of these");
	assert_int_equal(fault_set(NULL, ERR_INTERNAL, "x", NULL, "%s", "nobody listens"), ERR_INTERNAL);
}

/* Whatever the offset of the cut in the sequence, the detail stays well-formed. */
static void
long_detail_is_cut_between_code_points(void **state)
{
	static const char *const letters[] = {"a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x90\xa6"};

	(void)state;
	for (size_t width = 1; width <= 4; width++) {
		for (size_t shift = 0; shift < 4; shift++) {
			char text[2 * FAULT_DETAIL_SIZE] = "";
			struct fault fault;
			size_t len = shift;

			memset(text, 'x', shift);
			for (; len + width < sizeof text; len += width)
				memcpy(text + len, letters[width - 1], width);
			assert_int_equal(fault_set(&fault, ERR_INVALID, "c", NULL, "%s", text), ERR_INVALID);
			len = strlen(fault.detail);
			assert_in_range(len, FAULT_DETAIL_SIZE - 4, FAULT_DETAIL_SIZE - 1);
			assert_int_equal((len - shift) % width, 0);
			assert_memory_equal(fault.detail, text, len);
		}
	}
}

static enum status
step(enum status status, int *n_steps)
{
	++*n_steps;
	return status;
}

static enum status
two_steps(enum status first, int *n_steps)
{
	TRY(step(first, n_steps));
	TRY(step(OK, n_steps));
	return OK;
}

static void
try_returns_the_first_failure(void **state)
{
	int n_steps = 0;

	(void)state;
	assert_int_equal(two_steps(OK, &n_steps), OK);
	assert_int_equal(n_steps, 2);
	assert_int_equal(two_steps(ERR_FORBIDDEN, &n_steps), ERR_FORBIDDEN);
	assert_int_equal(n_steps, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_status_has_a_name),
		cmocka_unit_test(only_passing_troubles_are_retryable),
		cmocka_unit_test(fault_is_filled_and_its_status_returned),
		cmocka_unit_test(long_detail_is_cut_between_code_points),
		cmocka_unit_test(try_returns_the_first_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
