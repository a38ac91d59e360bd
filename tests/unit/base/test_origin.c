/* base/origin: which pages' requests are served. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/origin.h"

static const char *const listed[] = {"https://chat.example", "http://localhost:3000", NULL};

static void
own_and_listed_ones_are_allowed(void **state)
{
	static const struct {
		const char *origin, *host;
		bool allowed;
	} cases[] = {
		{NULL, "h:8080", true},
		{NULL, NULL, true},
		{"http://h:8080", "h:8080", true},
		{"HTTPS://H:8080", "h:8080", true},
		{"https://chat.example", "h", true},
		{"HTTP://LOCALHOST:3000", "h", true},
		{"https://chat.example", NULL, true},
		{"http://h", "h:8080", false},
		{"http://h:8080", "h", false},
		{"http://h.evil.example", "h", false},
		{"http://evil.example/h", "h", false},
		{"https://chat.example.evil", "h", false},
		{"http://chat.example", "h", false},
		{"ftp://h", "h", false},
		{"h", "h", false},
		{"null", "h", false},
		{"", "h", false},
		{"http://", "", false},
		{"http://", NULL, false},
		{"", "", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		if (origin_is_allowed(cases[i].origin, cases[i].host, listed) != cases[i].allowed)
			fail_msg("case %zu: %s at %s", i, cases[i].origin, cases[i].host);
	}
}

static void
without_a_list_only_the_own_one(void **state)
{
	static const char *const nothing[] = {NULL};

	(void)state;
	assert_true(origin_is_allowed("http://h", "h", NULL));
	assert_false(origin_is_allowed("https://chat.example", "h", NULL));
	assert_false(origin_is_allowed("https://chat.example", "h", nothing));
}

static void
the_own_host_is_not_in_the_list(void **state)
{
	(void)state;
	assert_true(origin_is_listed("https://CHAT.example", listed));
	assert_false(origin_is_listed("http://h", listed));
	assert_false(origin_is_listed("http://h", NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_and_listed_ones_are_allowed),
		cmocka_unit_test(without_a_list_only_the_own_one),
		cmocka_unit_test(the_own_host_is_not_in_the_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
