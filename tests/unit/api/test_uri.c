/* Percent-decoding and query strings: what is taken apart, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/uri.h"

static void
test_decode(void **state)
{
	static const struct {
		const char *in;
		bool plus;
		const char *out; /* NULL: refused */
	} rows[] = {
		{"", false, ""},      {"abc", false, "abc"},         {"a%20b", false, "a b"}, {"a+b", false, "a+b"},
		{"a+b", true, "a b"}, {"%C3%bc", false, "\xc3\xbc"}, {"%2f", false, "/"},     {"%41", false, "A"},
		{"%", false, NULL},   {"%4", false, NULL},           {"%4g", false, NULL},    {"%g4", false, NULL},
		{"%00", false, NULL}, {"%ff", false, NULL},
	};
	struct arena arena = {0};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *text = NULL;
		bool good = uri_decode(&arena, rows[i].in, strlen(rows[i].in), rows[i].plus, &text);

		assert_int_equal(good, rows[i].out != NULL);
		if (good)
			assert_string_equal(text, rows[i].out);
	}
	arena_finish(&arena);
}

static void
test_query(void **state)
{
	struct arena arena = {0};
	struct uri_pair pairs[3];
	size_t n;

	(void)state;
	assert_true(uri_parse_query(&arena, "", pairs, 3, &n));
	assert_int_equal(n, 0);
	assert_true(uri_parse_query(&arena, "a=1&&b=x%3Dy=z&c", pairs, 3, &n));
	assert_int_equal(n, 3);
	assert_string_equal(pairs[1].name, "b");
	assert_string_equal(pairs[1].value, "x=y=z");
	assert_string_equal(pairs[2].name, "c");
	assert_string_equal(pairs[2].value, "");
	assert_false(uri_parse_query(&arena, "a=1&b=2&c=3&d=4", pairs, 3, &n));
	assert_false(uri_parse_query(&arena, "a=%", pairs, 3, &n));
	assert_false(uri_parse_query(&arena, "%=a", pairs, 3, &n));
	arena_finish(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_decode), cmocka_unit_test(test_query)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
