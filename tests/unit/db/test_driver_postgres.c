/* What is PostgreSQL's alone: locks that take too long, deadlocks, types of parameters, what is prepared, what errors say. */
#include "things.h"

#include <pthread.h>

#include "base/clock.h"

static void
open_says_what_is_wrong(void **state)
{
	static const struct {
		const char *url;
		enum status status;
		const char *code;
	} cases[] = {
		{"postgres://nobody:hush@/nowhere?host=/nonexistent", ERR_UNAVAILABLE, "database_unavailable"},
		{"postgresql://nobody:hush@127.0.0.1:1/nowhere", ERR_UNAVAILABLE, "database_unavailable"},
		{"postgres://nobody:hush@127.0.0.1/nowhere?no_such=1", ERR_UNAVAILABLE, "database_unavailable"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fault fault = {0};
		struct db *db;

		check_status(db_open(cases[i].url, DB_ACCESS_READ, &db, &fault), cases[i].status);
		assert_string_equal(fault.code, cases[i].code);
		assert_true(strlen(fault.detail) > strlen("cannot use the database: "));
		assert_null(strstr(fault.detail, "hush"));
	}
}

/* An error of the first statement ends the transaction as any other does. */
static void
a_read_transaction_may_begin_with_an_error(void **state)
{
	struct test_database *test = *state;
	uint64_t number = db_connection_number(test->db);

	set_up_table(test);
	for (int i = 0; i < 2; i++) {
		struct db_stmt *stmt = db_prepare(test->db, "SELECT nothing FROM nowhere");
		bool row;

		check_ok(test, db_begin(test->db, DB_READ));
		check_status(db_one(stmt, &row), ERR_INTERNAL);
		db_finish(stmt);
		check_status(read_names(test), ERR_UNAVAILABLE);
		check_status(db_commit(test->db, NULL), ERR_UNAVAILABLE);
		assert_int_equal(count_things(test), 2);
	}
	assert_int_equal(db_connection_number(test->db), number);
}

static void
a_lock_is_not_waited_for_long(void **state)
{
	struct test_database *test = *state;
	struct test_database other = *test;
	const char *const ids[] = {"a", "b\"\\,{}"};
	int64_t began_ms;

	test_database_migrate(test);
	test_database_run(test,
			  "INSERT INTO users (id, username, username_key, display_name, display_name_key,"
			  " password_hash, role, created_at) VALUES ('b\"\\,{}', 'b', 'b', 'b', 'b', '', 'member', 1)");
	check_ok(test, db_open(test->url, DB_ACCESS_WRITE, &other.db, NULL));
	check_ok(test, db_begin(other.db, DB_WRITE));
	check_ok(test, db_lock(other.db, DB_LOCK_USERS, ids, 2));
	check_ok(test, db_settle(other.db));
	check_ok(test, db_begin(test->db, DB_WRITE));
	began_ms = clock_monotonic_ms();
	check_ok(test, db_lock(test->db, DB_LOCK_USERS, ids, 2));
	check_status(db_settle(test->db), ERR_UNAVAILABLE);
	print_message("waited for %d ms\n", (int)(clock_monotonic_ms() - began_ms));
	assert_true(clock_monotonic_ms() - began_ms < 1500);
	assert_int_equal(db_trouble(test->db), DB_TROUBLE_USER_LOCKED);
	db_rollback(test->db);
	check_ok(test, db_commit(other.db, NULL));
	db_close(other.db);
}

struct crossing {
	struct db *db;
	int64_t first, second;
	pthread_barrier_t *both_have_one;
	enum status status;
	bool clashed;
};

static void *
cross(void *argument)
{
	struct crossing *crossing = argument;

	crossing->status = db_begin(crossing->db, DB_WRITE);
	if (crossing->status == OK)
		crossing->status = rename_thing(crossing->db, crossing->first, "mine");
	pthread_barrier_wait(crossing->both_have_one);
	if (crossing->status == OK)
		crossing->status = rename_thing(crossing->db, crossing->second, "mine");
	crossing->clashed = db_trouble(crossing->db) == DB_TROUBLE_CLASH;
	if (crossing->status == OK)
		crossing->status = db_commit(crossing->db, NULL);
	else
		db_rollback(crossing->db);
	return NULL;
}

/* The server looks for deadlocks after a second, longer than we wait for locks: so lock_timeout is taken off here. */
static void
a_deadlock_is_a_clash(void **state)
{
	struct test_database *test = *state;
	pthread_barrier_t barrier;
	struct crossing crossings[2] = {{.first = 1, .second = 2, .both_have_one = &barrier},
					{.first = 2, .second = 1, .both_have_one = &barrier}};
	pthread_t threads[2];
	char url[400];

	set_up_table(test);
	snprintf(url, sizeof url, "%s%%20-clock_timeout%%3D20s", test->url);
	pthread_barrier_init(&barrier, NULL, 2);
	for (int i = 0; i < 2; i++) {
		check_ok(test, db_open(url, DB_ACCESS_WRITE, &crossings[i].db, NULL));
		assert_int_equal(pthread_create(&threads[i], NULL, cross, &crossings[i]), 0);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(crossings[i].clashed, crossings[i].status != OK);
		db_close(crossings[i].db);
	}
	assert_int_not_equal(crossings[0].clashed, crossings[1].clashed);
	pthread_barrier_destroy(&barrier);
}

/* A statement that was first run with a NULL must not keep the type that was guessed for it. */
static void
types_are_those_of_what_is_bound(void **state)
{
	struct test_database *test = *state;
	static const struct {
		bool is_null;
		int64_t number;
	} cases[] = {{true, 0}, {false, 7}, {true, 0}, {false, 8}};
	bool row;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct db_stmt *stmt = db_prepare(test->db, "SELECT $1, $2, '$9 \"' || $2");

		if (cases[i].is_null)
			db_bind_null(stmt, 1);
		else
			db_bind_int64(stmt, 1, cases[i].number);
		db_bind_text(stmt, 2, cases[i].is_null ? NULL : "text");
		check_ok(test, db_one(stmt, &row));
		assert_int_equal(db_column_is_null(stmt, 0), cases[i].is_null);
		assert_int_equal(db_column_int64(stmt, 0), cases[i].number);
		db_finish(stmt);
	}
}

static int64_t
count_prepared(struct test_database *test, const char *like)
{
	struct db_stmt *stmt =
		db_prepare(test->db, "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE $1");
	int64_t n;
	bool row;

	db_bind_text(stmt, 1, like);
	check_ok(test, db_one(stmt, &row));
	n = db_column_int64(stmt, 0);
	db_finish(stmt);
	return n;
}

/* Seven parameters of which each is known by and by: in a write transaction, and as the first one of a read transaction. */
static void
what_is_prepared_again_is_not_left_behind(void **state)
{
	struct test_database *test = *state;
	static const char sql[] = "SELECT $1, $2, $3, $4, $5, $6, $7";
	enum { N = 7 };
	bool row;

	for (int kind = DB_READ; kind <= DB_WRITE; kind++) {
		for (int known = 0; known <= N; known++) {
			check_ok(test, db_begin(test->db, (enum db_transaction)kind));
			struct db_stmt *stmt = db_prepare(test->db, sql);

			for (int i = 1; i <= N; i++)
				if (i <= known)
					db_bind_int64(stmt, i, i);
				else
					db_bind_null(stmt, i);
			check_ok(test, db_one(stmt, &row));
			for (int i = 1; i <= N; i++)
				assert_int_equal(db_column_int64(stmt, i - 1), i <= known ? i : 0);
			db_finish(stmt);
			check_ok(test, db_commit(test->db, NULL));
		}
		assert_int_equal(db_connection_number(test->db), kind + 1);
		assert_int_equal(count_prepared(test, sql), 1);
		kill_session(test); /* the new one knows nothing */
	}
}

/* An error that comes of its values, again and again: it stays prepared. */
static void
what_fails_is_not_prepared_each_time(void **state)
{
	struct test_database *test = *state;
	static const char sql[] = "SELECT 1 / $1";
	bool row;

	for (int i = 0; i < 5; i++) {
		check_ok(test, db_begin(test->db, DB_READ));
		struct db_stmt *stmt = db_prepare(test->db, sql);

		db_bind_int64(stmt, 1, i % 2);
		check_status(db_one(stmt, &row), i % 2 ? OK : ERR_INTERNAL);
		db_finish(stmt);
		db_rollback(test->db);
		if (i == 0)
			assert_int_equal(count_prepared(test, sql), 1);
	}
	assert_int_equal(count_prepared(test, sql), 1);
}

static void
a_sum_is_a_number(void **state)
{
	struct test_database *test = *state;

	set_up_table(test);
	assert_int_equal(test_database_int64(test, "SELECT sum(id) FROM things"), 3);
	assert_int_equal(test_database_int64(test, "SELECT -sum(id) FROM things"), -3);
}

static void
errors_show_no_rows(void **state)
{
	struct test_database *test = *state;

	set_up_table(test);
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_status(db_run_script(test->db, "INSERT INTO things (id, name) VALUES (NULL, 'a secret')"), ERR_INTERNAL);
	assert_null(strstr(db_error(test->db), "secret"));
	db_rollback(test->db);
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_status(db_run_script(test->db, "INSERT INTO things (id) VALUES (1)"), ERR_CONFLICT);
	assert_null(strstr(db_error(test->db), "(1)"));
	db_rollback(test->db);
}

/* What a daemon has prepared before a migration changes the table. */
static void
a_changed_table_is_prepared_again(void **state)
{
	struct test_database *test = *state;
	struct test_database reader = *test;
	static const char sql[] = "SELECT * FROM things WHERE id = 1";
	enum status statuses[3];
	bool row;

	set_up_table(test);
	check_ok(test, db_open(test->url, DB_ACCESS_READ, &reader.db, NULL));
	for (int i = 0; i < 3; i++) {
		struct db_stmt *stmt = db_prepare(reader.db, sql);

		statuses[i] = db_one(stmt, &row);
		db_finish(stmt);
		if (i == 0)
			test_database_run(test, "ALTER TABLE things ADD COLUMN more TEXT");
	}
	check_status(statuses[0], OK);
	check_status(statuses[1], ERR_UNAVAILABLE);
	check_status(statuses[2], OK);
	assert_int_equal(count_prepared(&reader, sql), 1);
	db_close(reader.db);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(open_says_what_is_wrong),
		WITH_DATABASE(a_read_transaction_may_begin_with_an_error),
		WITH_DATABASE(a_lock_is_not_waited_for_long),
		WITH_DATABASE(a_deadlock_is_a_clash),
		WITH_DATABASE(types_are_those_of_what_is_bound),
		WITH_DATABASE(what_is_prepared_again_is_not_left_behind),
		WITH_DATABASE(what_fails_is_not_prepared_each_time),
		WITH_DATABASE(a_sum_is_a_number),
		WITH_DATABASE(errors_show_no_rows),
		WITH_DATABASE(a_changed_table_is_prepared_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
