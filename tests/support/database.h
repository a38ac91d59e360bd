/* A database for one test: the same cases run on every driver, because this file alone knows which one it is.
 *
 * STONECHAT_TEST_DATABASE is the url of a PostgreSQL database (without parameters but host), where each test has a schema of its
 * own; without it each test has a SQLite file in a folder of its own. */
#ifndef SUPPORT_DATABASE_H
#define SUPPORT_DATABASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "db/db.h"
#include "db/migrate.h"

struct test_database {
	char folder[64];
	char path[96];   /* of the file, when it is one */
	char schema[64]; /* when it is none */
	char url[256];
	struct db *db; /* may write */
	struct arena arena;
};

static inline void
test_database_check(enum status status, const struct db *db, const char *what, int line)
{
	if (status == OK)
		return;
	fail_msg("line %d: %s: %s %s", line, what, status_name(status), db ? db_error(db) : "");
}
#define check_ok(test, call) test_database_check((call), (test)->db, #call, __LINE__)
#define check_status(call, wanted) assert_string_equal(status_name(call), status_name(wanted))

/* One statement on a connection of its own. */
static inline void
test_database_administer(const char *url, const char *sql)
{
	struct db *db;

	test_database_check(db_open(url, DB_ACCESS_WRITE, &db, NULL), NULL, url, __LINE__);
	test_database_check(db_begin(db, DB_WRITE), db, sql, __LINE__);
	test_database_check(db_run_script(db, sql), db, sql, __LINE__);
	test_database_check(db_commit(db, NULL), db, sql, __LINE__);
	db_close(db);
}

static inline void
test_database_create_schema(struct test_database *test, const char *server)
{
	static int n_made;
	char sql[96];

	snprintf(test->schema, sizeof test->schema, "test_%d_%d", (int)getpid(), n_made++);
	snprintf(sql, sizeof sql, "CREATE SCHEMA %s", test->schema);
	test_database_administer(server, sql);
	snprintf(test->url, sizeof test->url, "%s&options=-csearch_path%%3D%s", server, test->schema);
}

/* An empty database, not migrated; the folder is new. */
static inline void
test_database_create(struct test_database *test)
{
	const char *server = getenv("STONECHAT_TEST_DATABASE");

	memset(test, 0, sizeof *test);
	snprintf(test->folder, sizeof test->folder, "/tmp/stonechat-test-XXXXXX");
	assert_non_null(mkdtemp(test->folder));
	if (server) {
		test_database_create_schema(test, server);
	} else {
		snprintf(test->path, sizeof test->path, "%s/test.db", test->folder);
		snprintf(test->url, sizeof test->url, "sqlite:%s", test->path);
	}
	check_ok(test, db_open(test->url, DB_ACCESS_WRITE, &test->db, NULL));
}

static inline void
test_database_migrate(struct test_database *test)
{
	size_t applied;

	check_ok(test, migrate_run(test->db, NULL, NULL, &applied, NULL));
	assert_int_equal(applied, n_migrations);
}

static inline int
test_database_remove_entry(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
	(void)info, (void)type, (void)ftw;
	return remove(path);
}

static inline void
test_database_destroy(struct test_database *test)
{
	char sql[96];

	db_close(test->db);
	if (test->schema[0]) {
		snprintf(sql, sizeof sql, "DROP SCHEMA %s CASCADE", test->schema);
		test_database_administer(getenv("STONECHAT_TEST_DATABASE"), sql);
	}
	arena_finish(&test->arena);
	nftw(test->folder, test_database_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* cmocka's setup and teardown: *state is a migrated struct test_database. */
static inline int
test_database_setup(void **state)
{
	struct test_database *test = calloc(1, sizeof *test);

	assert_non_null(test);
	test_database_create(test);
	test_database_migrate(test);
	*state = test;
	return 0;
}

static inline int
test_database_teardown(void **state)
{
	test_database_destroy(*state);
	free(*state);
	return 0;
}

/* Runs one statement in a transaction of its own. */
static inline void
test_database_run(struct test_database *test, const char *sql)
{
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, db_run_script(test->db, sql));
	check_ok(test, db_commit(test->db, NULL));
}

/* From now on the database cannot digest a message whose content becomes "poison". `ends_all`: it even ends the transaction by
 * itself, where a database does such a thing at all. */
static inline void
test_database_poison(struct test_database *test, bool ends_all)
{
	if (!test->schema[0]) {
		test_database_run(
			test, ends_all ? "CREATE TRIGGER poison BEFORE INSERT ON messages WHEN new.content = 'poison'"
					 " BEGIN SELECT RAISE(ROLLBACK, 'poison'); END"
				       : "CREATE TRIGGER poison BEFORE INSERT ON messages WHEN new.content = 'poison'"
					 " BEGIN SELECT RAISE(ABORT, 'poison'); END");
		return;
	}
	test_database_run(test, "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$"
				" BEGIN RAISE EXCEPTION 'poison'; END $$;"
				"CREATE TRIGGER poison BEFORE INSERT ON messages FOR EACH ROW"
				" WHEN (new.content = 'poison') EXECUTE FUNCTION poison()");
}

/* The same with any change of a message. */
static inline void
test_database_poison_changes(struct test_database *test)
{
	test_database_run(test, test->schema[0] ? "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$"
						  " BEGIN RAISE EXCEPTION 'poison'; END $$;"
						  "CREATE TRIGGER poison BEFORE UPDATE ON messages FOR EACH ROW"
						  " EXECUTE FUNCTION poison()"
						: "CREATE TRIGGER poison BEFORE UPDATE ON messages"
						  " BEGIN SELECT RAISE(ABORT, 'poison'); END");
}

static inline void
test_database_cure(struct test_database *test)
{
	test_database_run(test, test->schema[0] ? "DROP FUNCTION poison() CASCADE" : "DROP TRIGGER poison");
}

/* The one number that a query answers. */
static inline int64_t
test_database_int64(struct test_database *test, const char *sql)
{
	struct db_stmt *stmt = db_prepare(test->db, sql);
	int64_t value;
	bool row;

	check_ok(test, db_one(stmt, &row));
	assert_true(row);
	value = db_column_int64(stmt, 0);
	db_finish(stmt);
	return value;
}

/* Whether `action` ends the process by abort(). It runs in a child with a connection of its own: SQLite's handles must not
 * cross a fork. */
static inline bool
test_database_aborts(const char *url, void (*action)(struct db *db))
{
	const struct rlimit no_core = {0, 0};
	int status;
	pid_t child = fork();

	if (child == 0) {
		struct db *db;

		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGABRT, SIG_DFL);
		if (!freopen("/dev/null", "w", stderr) || db_open(url, DB_ACCESS_WRITE, &db, NULL) != OK)
			_exit(2);
		action(db);
		_exit(0);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

#endif
