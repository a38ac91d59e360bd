/* A database for one test: the same cases run on every driver, because this file alone knows which one it is.
 *
 * STONECHAT_TEST_DATABASE names another one (a url that is emptied by whoever runs the tests); without it each test has a
 * SQLite file in a folder of its own. */
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
	char path[96]; /* of the file, when it is one */
	char url[128];
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

/* An empty database in a new folder, not migrated. */
static inline void
test_database_create(struct test_database *test)
{
	memset(test, 0, sizeof *test);
	snprintf(test->folder, sizeof test->folder, "/tmp/stonechat-test-XXXXXX");
	assert_non_null(mkdtemp(test->folder));
	snprintf(test->path, sizeof test->path, "%s/test.db", test->folder);
	snprintf(test->url, sizeof test->url, "sqlite:%s", test->path);
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
	db_close(test->db);
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
