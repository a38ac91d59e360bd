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

static void
another_history_begins_with_another_epoch(void **state)
{
	struct test_database *test = *state;
	char before[EVENT_EPOCH_SIZE], begun[EVENT_EPOCH_SIZE], after[EVENT_EPOCH_SIZE];
	char anna[ID_SIZE], bert[ID_SIZE], direct[ID_SIZE];
	int64_t position;

	chat_make_user(test, "anna", anna);
	chat_make_user(test, "bert", bert);
	chat_make_direct(test, anna, bert, CHAT_NOW_MS, direct);
	check_ok(test, meta_epoch(test->db, before));
	test_database_run(test, "UPDATE meta SET value = 'moved' WHERE key = 'state'");
	test_database_run(test, "UPDATE meta SET value = '99' WHERE key = 'timeline'");

	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, meta_begin_epoch(test->db, begun));
	check_ok(test, db_commit(test->db, NULL));

	check_ok(test, meta_epoch(test->db, after));
	assert_string_equal(after, begun);
	assert_string_not_equal(after, before);
	assert_int_equal(strlen(after), ID_LEN); /* on the server's timeline */
	check_ok(test, meta_check_serving(test->db, NULL));
	assert_int_equal(test_database_int64(test, "SELECT count(*) FROM users WHERE change_no <> 0"), 0);
	assert_int_equal(test_database_int64(test, "SELECT count(*) FROM conversations WHERE change_no <> 0"), 0);
	check_ok(test, db_begin(test->db, DB_READ));
	check_ok(test, db_change_position(test->db, &position));
	check_ok(test, db_commit(test->db, NULL));
	if (db_dialect(test->db) == DB_DIALECT_SQLITE)
		assert_int_equal(position, 1);
}

static void
what_is_not_ours_gets_no_epoch(void **state)
{
	struct test_database *test = *state;
	char epoch[EVENT_EPOCH_SIZE];

	test_database_run(test, "DELETE FROM meta WHERE key = 'epoch'");
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_status(meta_begin_epoch(test->db, epoch), ERR_NOT_FOUND);
	db_rollback(test->db);
}

static void
the_census_counts_what_is_there(void **state)
{
	struct test_database *test = *state;
	char anna[ID_SIZE], bert[ID_SIZE], direct[ID_SIZE], noted[ID_SIZE];
	struct meta_census census;

	check_ok(test, meta_count(test->db, &census));
	assert_int_equal(census.schema, n_migrations);
	assert_int_equal(census.people + census.conversations + census.messages + census.newest_message_at_ms, 0);

	chat_make_user(test, "anna", anna);
	chat_make_user(test, "bert", bert);
	chat_make_user(test, "cleo", noted);
	chat_make_direct(test, anna, bert, CHAT_NOW_MS, direct);
	chat_send(test, direct, anna, CHAT_NOW_MS + 7, 2);
	chat_send(test, direct, bert, CHAT_NOW_MS + 5, 3);
	chat_change(test, "UPDATE users SET deleted_at = 1 WHERE id = $1", noted, NULL);
	chat_change(test, "UPDATE messages SET deleted_at = 1 WHERE conversation_id = $1 AND seq = 5", direct, NULL);
	check_ok(test, meta_count(test->db, &census));
	assert_int_equal(census.people, 2);
	assert_int_equal(census.conversations, 1);
	assert_int_equal(census.messages, 4);
	assert_int_equal(census.newest_message_at_ms, CHAT_NOW_MS + 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DATABASE(the_epoch_names_the_timeline_only_when_it_is_another),
		WITH_DATABASE(only_a_serving_database_takes_writes),
		WITH_DATABASE(another_history_begins_with_another_epoch),
		WITH_DATABASE(what_is_not_ours_gets_no_epoch),
		WITH_DATABASE(the_census_counts_what_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
