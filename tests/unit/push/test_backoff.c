/* push/backoff: bounds of the delay, and that it is spread over them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backoff.h"

static void
it_doubles_up_to_its_maximum(void **state)
{
	static const int64_t whole_ms[] = {250, 250, 500, 1000, 2000, 4000, 4000, 4000};

	(void)state;
	for (unsigned n = 0; n < sizeof whole_ms / sizeof whole_ms[0]; n++) {
		assert_int_equal(backoff_ms(n, 0), whole_ms[n] / 2);
		for (uint32_t random = 1; random != 0; random = random < 0x40000000 ? random * 3 : 0)
			assert_in_range(backoff_ms(n, random), whole_ms[n] / 2, whole_ms[n]);
	}
	assert_in_range(backoff_ms(UINT32_MAX, UINT32_MAX), 2000, 4000);
}

static void
random_decides_within_the_bounds(void **state)
{
	(void)state;
	assert_int_equal(backoff_ms(5, 0), 2000);
	assert_int_equal(backoff_ms(5, 1), 2001);
	assert_int_equal(backoff_ms(5, 2000), 4000);
	assert_int_equal(backoff_ms(5, 2001), 2000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_doubles_up_to_its_maximum),
		cmocka_unit_test(random_decides_within_the_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
