/* The epoch, and whether the database takes writes. */
#include "support/chat.h"

#include "store/meta.h"

static void
the_epoch_names_the_timeline_only_when_it_is_another(void **state)
{
	struct test_database *test = *state;
	char epoch[EVENT_EPOCH_SIZE], later[EVENT_EPOCH_SIZE];
	int64_t timeline;

	check_ok(test, meta_epoch(test->db, epoch));
	assert_int_equal(strlen(epoch), ID_LEN);
	check_ok(test, meta_epoch(test->db, later));
	assert_string_equal(later, epoch);

	check_ok(test, db_timeline(test->db, &timeline));
	test_database_run(test, "UPDATE meta SET value = '99' WHERE key = 'timeline'");
	check_ok(test, meta_epoch(test->db, later));
	assert_string_equal(later, arena_printf(&test->arena, "%s.%" PRId64, epoch, timeline));
}

static void
only_a_serving_database_takes_writes(void **state)
{
	struct test_database *test = *state;
	static const struct {
		const char *sql;
		const char *code; /* NULL: it serves */
	} cases[] = {
		{"UPDATE meta SET value = 'loading' WHERE key = 'state'", "loading"},
		{"UPDATE meta SET value = 'moved' WHERE key = 'state'", "moved"},
		{"UPDATE meta SET value = 'serving' WHERE key = 'state'", NULL},
		{"DELETE FROM meta WHERE key = 'state'", "loading"},
	};

	check_ok(test, meta_check_serving(test->db, NULL));
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fault fault = {0};

		test_database_run(test, cases[i].sql);
		check_status(meta_check_serving(test->db, &fault), cases[i].code ? ERR_UNAVAILABLE : OK);
		if (cases[i].code)
			assert_string_equal(fault.code, cases[i].code);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DATABASE(the_epoch_names_the_timeline_only_when_it_is_another),
		WITH_DATABASE(only_a_serving_database_takes_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
