/* base/clock: how a time is written, and that the clocks go forward. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include <cmocka.h>

static void
times_are_written_as_rfc_3339(void **state)
{
	static const struct {
		int64_t wall_ms;
		const char *text;
	} cases[] = {
		{0, "1970-01-01T00:00:00.000Z"},
		{1, "1970-01-01T00:00:00.001Z"},
		{-1, "1969-12-31T23:59:59.999Z"},
		{-1000, "1969-12-31T23:59:59.000Z"},
		{951782400000, "2000-02-29T00:00:00.000Z"},
		{1769903999123, "2026-01-31T23:59:59.123Z"},
		{253402300799999, "9999-12-31T23:59:59.999Z"},
	};
	char text[CLOCK_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		clock_format(cases[i].wall_ms, text);
		assert_string_equal(text, cases[i].text);
	}
	clock_format(INT64_MAX, text); /* there is no such date: it only has to fit */
	clock_format(INT64_MIN, text);
}

static void
only_what_is_written_so_is_read(void **state)
{
	static const struct {
		const char *text;
		int64_t wall_ms; /* -1: refused */
	} cases[] = {
		{"2026-01-31T23:59:59.123Z", 1769903999123},
		{"1970-01-01T00:00:00.000Z", 0},
		{"2024-02-29T00:00:00.001Z", 1709164800001},
		{"9999-12-31T23:59:59.999Z", 253402300799999},
		{"2026-02-29T00:00:00.000Z", -1},
		{"2026-01-31T24:00:00.000Z", -1},
		{"2026-01-31T23:59:60.000Z", -1},
		{"2026-01-31T23:59:59Z", -1},
		{"2026-01-31 23:59:59.123Z", -1},
		{"2026-01-31T23:59:59.123+", -1},
		{"2O26-01-31T23:59:59.123Z", -1},
		{"", -1},
		{"2026-01-31T23:59:59.123Z and more", -1},
		{"\xff\xff\xff\xff-01-31T23:59:59.123Z", -1},
	};
	int64_t wall_ms;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		wall_ms = -1;
		assert_int_equal(clock_parse(cases[i].text, &wall_ms), cases[i].wall_ms >= 0);
		assert_int_equal(wall_ms, cases[i].wall_ms);
	}
}

static void
clocks_agree_with_themselves(void **state)
{
	int64_t us = clock_monotonic_us();
	int64_t ms = clock_monotonic_ms();

	(void)state;
	assert_true(ms >= us / 1000);
	assert_true(clock_monotonic_us() >= us);
	assert_true(clock_wall_ms() > 1700000000000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_written_as_rfc_3339),
		cmocka_unit_test(only_what_is_written_so_is_read),
		cmocka_unit_test(clocks_agree_with_themselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
