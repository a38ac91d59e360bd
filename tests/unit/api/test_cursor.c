/* Cursors come back as they were, and nothing else is taken for one. */
#include "fixture.h"

#include "api/cursor.h"

static void
test_round_trip(void **state)
{
	static const struct {
		int64_t number;
		const char *text;
	} rows[] = {{0, ""},
		    {1, "a"},
		    {1769903999123, "ab cd"},
		    {(INT64_C(1) << 53) - 1, "\xc3\xbcmlaut and more of it"}};
	struct req req = {0};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CLEANUP_JSON json_t *json = cursor_to_json(&req, "kind", rows[i].number, rows[i].text);
		const char *cursor = json_string_value(json), *text = NULL;
		int64_t number = -1;

		assert_int_equal(cursor_read(&req, cursor, "kind", &number, &text), OK);
		assert_int_equal(number, rows[i].number);
		assert_string_equal(text, rows[i].text);
		assert_int_equal(cursor_read(&req, cursor, "other", &number, &text), ERR_MALFORMED);
		assert_int_equal(cursor_read(&req, cursor, "kin", &number, &text), ERR_MALFORMED);
	}
	arena_finish(&req.arena);
}

static void
test_refused(void **state)
{
	static const char *const rows[] = {"",        "nonsense",    "=",          "a b",   "a2luZA",
					   "a2luZCA", "a2luZCB4IHk", "a2luZCAxMg", "_____", "\xff"};
	struct req req = {0};
	char huge[2000];

	(void)state;
	memset(huge, 'A', sizeof huge);
	huge[sizeof huge - 1] = '\0';
	for (size_t i = 0; i <= sizeof rows / sizeof rows[0]; i++) {
		const char *cursor = i < sizeof rows / sizeof rows[0] ? rows[i] : huge, *text = "untouched";
		int64_t number = -1;

		assert_int_equal(cursor_read(&req, cursor, "kind", &number, &text), ERR_MALFORMED);
		assert_string_equal(req.fault.code, "cursor_invalid");
		assert_int_equal(number, -1);
		assert_string_equal(text, "untouched");
	}
	arena_finish(&req.arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_refused)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
