/* A table of two things for tests of the PostgreSQL driver, and whose session it is. */
#ifndef TESTS_UNIT_DB_THINGS_H
#define TESTS_UNIT_DB_THINGS_H

#include "support/database.h"

static inline void
set_up_table(struct test_database *test)
{
	test_database_run(test, "CREATE TABLE things (id BIGINT NOT NULL PRIMARY KEY, name TEXT)");
	test_database_run(test, "INSERT INTO things (id, name) VALUES (1, 'one'), (2, 'two')");
}

static inline enum status
rename_thing(struct db *db, int64_t id, const char *name)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, "UPDATE things SET name = $2 WHERE id = $1");

	db_bind_int64(stmt, 1, id);
	db_bind_text(stmt, 2, name);
	return db_run(stmt);
}

static inline int64_t
count_things(struct test_database *test)
{
	return test_database_int64(test, "SELECT count(*) FROM things");
}

static inline enum status
read_names(struct test_database *test)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(test->db, "SELECT name FROM things");
	bool row;

	return db_one(stmt, &row);
}

static inline int64_t
backend(struct test_database *test)
{
	return test_database_int64(test, "SELECT pg_backend_pid()");
}

/* Ends the session of the test's own connection, as an administrator would, and waits until it is gone. */
static inline void
kill_backend(struct test_database *test, int64_t pid)
{
	struct test_database other = *test;

	check_ok(test, db_open(test->url, DB_ACCESS_READ, &other.db, NULL));

	struct db_stmt *stmt = db_prepare(other.db, "SELECT pg_terminate_backend(CAST($1 AS INTEGER), 10000)");
	bool row;

	db_bind_int64(stmt, 1, pid);
	check_ok(&other, db_one(stmt, &row));
	assert_true(db_column_bool(stmt, 0));
	db_finish(stmt);
	db_close(other.db);
}

static inline void
kill_session(struct test_database *test)
{
	kill_backend(test, backend(test));
}

#define WITH_DATABASE(test) cmocka_unit_test_setup_teardown(test, setup_empty, test_database_teardown)

static inline int
setup_empty(void **state)
{
	struct test_database *test = calloc(1, sizeof *test);

	assert_non_null(test);
	test_database_create(test);
	*state = test;
	return 0;
}

#endif
