/* The rules of db.h on a real database: values, transactions, errors that end them, change numbers, misuse. */
#include "support/database.h"

static void
set_up_table(struct test_database *test)
{
	test_database_run(test, "CREATE TABLE things (id BIGINT NOT NULL PRIMARY KEY, name TEXT UNIQUE, flag BOOLEAN,"
				" parent BIGINT REFERENCES things (id))");
}

static enum status
insert_thing(struct db *db, int64_t id, const char *name, bool flag)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, "INSERT INTO things (name, flag, id) VALUES ($2, $3, $1)");

	db_bind_int64(stmt, 1, id);
	db_bind_text(stmt, 2, name);
	db_bind_bool(stmt, 3, flag);
	return db_run(stmt);
}

static int64_t
count_things(struct test_database *test)
{
	return test_database_int64(test, "SELECT count(*) FROM things");
}

static void
open_says_what_is_wrong(void **state)
{
	static const struct {
		const char *url;
		enum db_access access;
		enum status status;
		const char *detail;
	} cases[] = {
		{"sqlite:/nonexistent/folder/x.db", DB_ACCESS_WRITE, ERR_UNAVAILABLE, "/nonexistent/folder/x.db"},
		{"sqlite:/nonexistent.db", DB_ACCESS_READ, ERR_UNAVAILABLE, "/nonexistent.db"},
		{"sqlite:", DB_ACCESS_WRITE, ERR_INVALID, "sqlite:<path>"},
		{"mysql:somewhere", DB_ACCESS_WRITE, ERR_INVALID, "not mysql:"},
		{"", DB_ACCESS_READ, ERR_INVALID, "database.url"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fault fault = {0};
		struct db *db = NULL;

		check_status(db_open(cases[i].url, cases[i].access, &db, &fault), cases[i].status);
		assert_null(db);
		assert_non_null(strstr(fault.detail, cases[i].detail));
	}
}

static void
values_come_back_as_they_were(void **state)
{
	struct test_database *test = *state;
	static const struct {
		int64_t id;
		const char *name;
		bool flag;
	} cases[] = {
		{0, "", false},      {1, "Grüße 👋", true}, {INT64_MAX, NULL, true}, {INT64_MIN, "a\nb\tc", false},
		{-1, "'; --", true},
	};
	char copy[32];
	bool row;

	set_up_table(test);
	check_ok(test, db_begin(test->db, DB_WRITE));
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		check_ok(test, insert_thing(test->db, cases[i].id, cases[i].name, cases[i].flag));
	check_ok(test, db_commit(test->db, NULL));
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct db_stmt *stmt = db_prepare(test->db, "SELECT id, name, flag FROM things WHERE id = $1");
		char *name;

		db_bind_int64(stmt, 1, cases[i].id);
		check_ok(test, db_one(stmt, &row));
		assert_true(row);
		assert_int_equal(db_column_int64(stmt, 0), cases[i].id);
		name = db_column_text(stmt, 1, &test->arena);
		db_column_copy(stmt, 1, copy, sizeof copy);
		assert_int_equal(db_column_is_null(stmt, 1), cases[i].name == NULL);
		assert_string_equal(copy, cases[i].name ? cases[i].name : "");
		if (cases[i].name)
			assert_string_equal(name, cases[i].name);
		else
			assert_null(name);
		assert_int_equal(db_column_bool(stmt, 2), cases[i].flag);
		db_finish(stmt);
	}
}

static void
a_time_of_zero_is_null(void **state)
{
	struct test_database *test = *state;
	struct db_stmt *stmt = db_prepare(test->db, "SELECT $1, $2, $1");
	bool row;

	db_bind_time(stmt, 1, 0);
	db_bind_time(stmt, 2, 1760000000000);
	check_ok(test, db_one(stmt, &row));
	assert_true(db_column_is_null(stmt, 0));
	assert_int_equal(db_column_int64(stmt, 0), 0);
	assert_int_equal(db_column_int64(stmt, 1), 1760000000000);
	db_finish(stmt);
}

static void
a_rollback_leaves_nothing(void **state)
{
	struct test_database *test = *state;

	set_up_table(test);
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, insert_thing(test->db, 1, "a", true));
	db_rollback(test->db);
	assert_false(db_in_transaction(test->db));
	assert_int_equal(count_things(test), 0);
	db_rollback(test->db); /* nothing to do */

	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, insert_thing(test->db, 1, "a", true));
	check_ok(test, db_commit(test->db, NULL));
	assert_int_equal(count_things(test), 1);
}

/* Each error ends its transaction, whatever the database itself would allow. */
static void
an_error_ends_the_transaction(void **state)
{
	struct test_database *test = *state;
	static const struct {
		const char *sql;
		enum status status;
		const char *error[DB_DIALECT__MAX]; /* a part of it */
	} cases[] = {
		{"INSERT INTO things (id, name) VALUES (1, 'other')", ERR_CONFLICT, {"things.id", "things_pkey"}},
		{"INSERT INTO things (id, name) VALUES (2, 'first')", ERR_CONFLICT, {"things.name", "things_name_key"}},
		{"INSERT INTO things (id, parent) VALUES (2, 77)", ERR_INTERNAL, {"FOREIGN KEY", "things_parent_fkey"}},
		{"INSERT INTO things (name) VALUES ('x')", ERR_INTERNAL, {"NOT NULL", "not-null"}},
		{"INSERT INTO nowhere (id) VALUES (1)", ERR_INTERNAL, {"no such table", "does not exist"}},
		{"SELEKT", ERR_INTERNAL, {"syntax error", "syntax error"}},
	};
	bool row, unknown;

	set_up_table(test);
	test_database_run(test, "INSERT INTO things (id, name) VALUES (1, 'first')");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_ok(test, db_begin(test->db, DB_WRITE));
		check_ok(test, insert_thing(test->db, 10, "before", true));

		struct db_stmt *stmt = db_prepare(test->db, cases[i].sql);
		enum status status = db_step(stmt, &row);

		db_finish(stmt);
		if (status == OK) /* a foreign key may be checked at the end */
			status = db_commit(test->db, NULL);
		check_status(status, cases[i].status);
		if (!strstr(db_error(test->db), cases[i].error[db_dialect(test->db)]))
			fail_msg("%s: %s", cases[i].sql, db_error(test->db));
		check_status(insert_thing(test->db, 11, "after", true), ERR_UNAVAILABLE);
		unknown = true;
		check_status(db_commit(test->db, &unknown), ERR_UNAVAILABLE);
		assert_false(unknown);
		assert_false(db_in_transaction(test->db));
		assert_int_equal(count_things(test), 1);
	}
}

static void
ask_insert(struct test_database *test, int64_t id, const char *name)
{
	struct db_stmt *stmt = db_prepare(test->db, "INSERT INTO things (id, name) VALUES ($1, $2)");

	db_bind_int64(stmt, 1, id);
	db_bind_text(stmt, 2, name);
	db_ask(stmt);
	db_finish(stmt);
}

static void
what_is_asked_runs_in_its_order(void **state)
{
	enum { N = 200 }; /* more than is sent at once */
	struct test_database *test = *state;
	struct db_stmt *stmt;
	bool row;

	set_up_table(test);
	check_ok(test, db_begin(test->db, DB_WRITE));
	ask_insert(test, 1, "a");
	stmt = db_prepare(test->db, "SELECT id FROM things ORDER BY id");
	db_ask(stmt);
	ask_insert(test, 2, "b");
	check_ok(test, db_step(stmt, &row));
	assert_true(row);
	assert_int_equal(db_column_int64(stmt, 0), 1);
	db_finish(stmt);
	for (int i = 3; i <= N; i++)
		ask_insert(test, i, NULL);
	check_ok(test, db_commit(test->db, NULL));
	assert_int_equal(count_things(test), N);
}

/* Of what is asked nobody reads that it has failed: whoever asks next, or commits, is told. */
static void
an_error_that_nobody_has_read_is_kept(void **state)
{
	struct test_database *test = *state;
	struct db_stmt *stmt;
	bool row, unknown = true;

	set_up_table(test);
	test_database_run(test, "INSERT INTO things (id, name) VALUES (1, 'first')");
	check_ok(test, db_begin(test->db, DB_WRITE));
	ask_insert(test, 2, "second");
	ask_insert(test, 1, "again");
	ask_insert(test, 3, "third");
	check_status(db_commit(test->db, &unknown), ERR_CONFLICT);
	assert_false(unknown);
	assert_false(db_in_transaction(test->db));
	assert_int_equal(count_things(test), 1);

	check_ok(test, db_begin(test->db, DB_WRITE));
	stmt = db_prepare(test->db, "SELECT id FROM things");
	db_ask(stmt);
	ask_insert(test, 1, "again");
	check_ok(test, db_one(stmt, &row)); /* it came before */
	assert_true(row);
	db_finish(stmt);
	check_status(insert_thing(test->db, 4, "fourth", true), ERR_CONFLICT);
	db_rollback(test->db);
	assert_int_equal(count_things(test), 1);

	check_ok(test, db_begin(test->db, DB_WRITE));
	ask_insert(test, 5, "fifth");
	stmt = db_prepare(test->db, "SELECT id FROM things");
	db_ask(stmt);
	db_finish(stmt);
	db_rollback(test->db);
	assert_int_equal(count_things(test), 1);
}

static void
a_read_transaction_is_one_snapshot(void **state)
{
	struct test_database *test = *state;
	struct test_database reader = *test;

	set_up_table(test);
	check_ok(test, db_open(test->url, DB_ACCESS_READ, &reader.db, NULL));
	check_ok(test, db_begin(reader.db, DB_READ));
	assert_int_equal(count_things(&reader), 0);
	test_database_run(test, "INSERT INTO things (id) VALUES (1)");
	assert_int_equal(count_things(&reader), 0);
	check_ok(test, db_commit(reader.db, NULL));
	assert_int_equal(count_things(&reader), 1);
	db_close(reader.db);
}

static void
a_statement_is_used_again(void **state)
{
	struct test_database *test = *state;
	bool row;

	for (int i = 0; i < 3; i++) { /* it fails until the table is there, then the same literal works */
		struct db_stmt *stmt = db_prepare(test->db, "SELECT name FROM things WHERE id = $1");

		db_bind_int64(stmt, 1, 1);
		check_status(db_one(stmt, &row), i == 0 ? ERR_INTERNAL : OK);
		assert_int_equal(row, i == 2);
		db_finish(stmt);
		if (i == 0)
			set_up_table(test);
		else
			test_database_run(test, "INSERT INTO things (id) VALUES (1) ON CONFLICT (id) DO NOTHING");
	}
}

static int64_t
change_no(struct test_database *test)
{
	int64_t number;

	check_ok(test, db_change_no(test->db, &number));
	return number;
}

static int64_t
change_position(struct test_database *test)
{
	int64_t position;

	check_ok(test, db_begin(test->db, DB_READ));
	check_ok(test, db_change_position(test->db, &position));
	db_rollback(test->db);
	return position;
}

/* On PostgreSQL others draw numbers too. */
static void
a_transaction_has_one_change_number(void **state)
{
	struct test_database *test = *state;
	int64_t position = change_position(test), first;

	check_ok(test, db_begin(test->db, DB_WRITE));
	first = change_no(test);
	assert_true(first >= position); /* committed after the snapshot: at least its position */
	assert_int_equal(change_no(test), first);
	check_ok(test, db_commit(test->db, NULL));
	check_ok(test, db_begin(test->db, DB_WRITE));
	assert_true(change_no(test) > first);
	check_ok(test, db_commit(test->db, NULL));
}

/* What commits late has a number below others that have long been seen: the position must wait for it. */
static void
a_position_is_at_most_what_is_still_open(void **state)
{
	struct test_database *test = *state;
	struct test_database other = *test;
	int64_t open_no, position;

	if (db_dialect(test->db) == DB_DIALECT_SQLITE)
		return; /* one writes at a time */
	check_ok(test, db_open(test->url, DB_ACCESS_WRITE, &other.db, NULL));
	check_ok(test, db_begin(test->db, DB_WRITE));
	open_no = change_no(test);
	check_ok(test, db_begin(other.db, DB_WRITE));
	assert_true(change_no(&other) > open_no);
	check_ok(test, db_commit(other.db, NULL));
	position = change_position(&other);
	assert_true(position <= open_no);
	check_ok(test, db_commit(test->db, NULL));
	db_close(other.db);
}

static void
does_nothing(struct db *db)
{
	(void)db;
}

static void
leaves_a_parameter_unbound(struct db *db)
{
	struct db_stmt *stmt = db_prepare(db, "SELECT $1, $2");
	bool row;

	db_bind_int64(stmt, 1, 1);
	(void)!db_step(stmt, &row);
}

static void
binds_a_parameter_that_is_not_there(struct db *db)
{
	db_bind_int64(db_prepare(db, "SELECT $1"), 2, 1);
}

static void
reads_text_as_a_number(struct db *db)
{
	struct db_stmt *stmt = db_prepare(db, "SELECT 'text'");
	bool row;

	(void)!db_one(stmt, &row);
	(void)db_column_int64(stmt, 0);
}

static void
reads_a_column_without_a_row(struct db *db)
{
	struct db_stmt *stmt = db_prepare(db, "SELECT 1 WHERE 1 = 0");
	bool row;

	(void)!db_one(stmt, &row);
	(void)db_column_int64(stmt, 0);
}

static void
copies_into_too_little(struct db *db)
{
	struct db_stmt *stmt = db_prepare(db, "SELECT 'four'");
	char text[4];
	bool row;

	(void)!db_one(stmt, &row);
	db_column_copy(stmt, 0, text, sizeof text);
}

static void
nests_a_statement_in_itself(struct db *db)
{
	for (int i = 0; i < 2; i++)
		(void)db_prepare(db, "SELECT 1");
}

static void
commits_with_a_statement_open(struct db *db)
{
	struct db_stmt *stmt;
	bool row;

	(void)!db_begin(db, DB_READ);
	stmt = db_prepare(db, "SELECT 1");
	(void)!db_one(stmt, &row);
	(void)!db_commit(db, NULL);
}

static void
changes_outside_a_transaction(struct db *db)
{
	(void)!db_run(db_prepare(db, "UPDATE meta SET value = value"));
}

static void
changes_in_a_read_transaction(struct db *db)
{
	(void)!db_begin(db, DB_READ);
	(void)!db_run(db_prepare(db, "UPDATE meta SET value = value"));
}

static void
nests_transactions(struct db *db)
{
	for (int i = 0; i < 2; i++)
		(void)!db_begin(db, DB_READ);
}

static void
locks_unsorted(struct db *db)
{
	const char *const ids[] = {"b", "a"};

	(void)!db_begin(db, DB_WRITE);
	(void)!db_lock(db, DB_LOCK_CONVERSATIONS, ids, 2);
}

static void
leaves_a_hole_in_the_parameters(struct db *db)
{
	(void)db_prepare(db, "SELECT $1, $3");
}

static void
misuse_aborts(void **state)
{
	struct test_database *test = *state;
	static const struct {
		const char *name;
		void (*action)(struct db *db);
	} cases[] = {
		{"unbound", leaves_a_parameter_unbound},
		{"no such parameter", binds_a_parameter_that_is_not_there},
		{"wrong type", reads_text_as_a_number},
		{"no row", reads_a_column_without_a_row},
		{"too little room", copies_into_too_little},
		{"nested statement", nests_a_statement_in_itself},
		{"open at commit", commits_with_a_statement_open},
		{"no transaction", changes_outside_a_transaction},
		{"read transaction", changes_in_a_read_transaction},
		{"nested transaction", nests_transactions},
		{"unsorted lock", locks_unsorted},
		{"hole", leaves_a_hole_in_the_parameters},
	};

	assert_false(test_database_aborts(test->url, does_nothing));
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (!test_database_aborts(test->url, cases[i].action))
			fail_msg("no abort: %s", cases[i].name);
}

#define WITH_DATABASE(test) cmocka_unit_test_setup_teardown(test, test_database_setup, test_database_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(open_says_what_is_wrong),
		WITH_DATABASE(values_come_back_as_they_were),
		WITH_DATABASE(a_time_of_zero_is_null),
		WITH_DATABASE(a_rollback_leaves_nothing),
		WITH_DATABASE(an_error_ends_the_transaction),
		WITH_DATABASE(what_is_asked_runs_in_its_order),
		WITH_DATABASE(an_error_that_nobody_has_read_is_kept),
		WITH_DATABASE(a_read_transaction_is_one_snapshot),
		WITH_DATABASE(a_statement_is_used_again),
		WITH_DATABASE(a_transaction_has_one_change_number),
		WITH_DATABASE(a_position_is_at_most_what_is_still_open),
		WITH_DATABASE(misuse_aborts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
