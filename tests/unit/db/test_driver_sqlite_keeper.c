/* Checkpoints: made by the keeper alone, by one keeper at a time, and the WAL does not grow without bound. */
#include "support/database.h"

#include <sys/stat.h>
#include <time.h>

enum { PATIENCE_MS = 20000, BLOB_BYTES = 1000000, BLOBS = 70, BLOBS_MAX = 2000, WAL_KEPT_BYTES = 64 * 1024 * 1024 };

static int64_t
file_size(const struct test_database *test, const char *suffix)
{
	char path[128];
	struct stat file;

	snprintf(path, sizeof path, "%s%s", test->path, suffix);
	return stat(path, &file) == 0 ? (int64_t)file.st_size : -1;
}

/* Waits until the file has at least (or, for 0, exactly) so many bytes. */
static void
wait_for_size(const struct test_database *test, const char *suffix, int64_t bytes)
{
	const struct timespec pause = {0, 10 * 1000 * 1000};

	for (int waited_ms = 0; waited_ms < PATIENCE_MS; waited_ms += 10) {
		int64_t size = file_size(test, suffix);

		if (bytes == 0 ? size == 0 : size >= bytes)
			return;
		nanosleep(&pause, NULL);
	}
	fail_msg("%s%s has %lld bytes after %d ms, not %lld", test->path, suffix, (long long)file_size(test, suffix),
		 PATIENCE_MS, (long long)bytes);
}

static void
write_blobs(struct test_database *test, int n)
{
	for (int i = 0; i < n; i++) {
		struct db_stmt *stmt = db_prepare(test->db, "INSERT INTO blobs VALUES (zeroblob($1))");

		check_ok(test, db_begin(test->db, DB_WRITE));
		db_bind_int64(stmt, 1, BLOB_BYTES);
		check_ok(test, db_run(stmt));
		db_finish(stmt);
		check_ok(test, db_commit(test->db, NULL));
	}
}

static void
nothing_else_checkpoints(void **state)
{
	struct test_database *test = *state;
	int64_t size;

	test_database_run(test, "CREATE TABLE blobs (bytes BLOB)");
	size = file_size(test, "");
	write_blobs(test, 10); /* more than SQLite's own 1,000 pages */
	assert_int_equal(file_size(test, ""), size);
	db_close(test->db); /* the last handle: SQLite would checkpoint and delete the WAL */
	assert_true(file_size(test, "-wal") > 10 * BLOB_BYTES);
	check_ok(test, db_open(test->url, DB_ACCESS_WRITE, &test->db, NULL));
	assert_int_equal(test_database_int64(test, "SELECT count(*) FROM blobs"), 10);
}

static void
the_keeper_checkpoints_what_was_there_before(void **state)
{
	struct test_database *test = *state;
	struct db_keeper *keeper;

	test_database_run(test, "CREATE TABLE blobs (bytes BLOB)");
	write_blobs(test, BLOBS);
	check_ok(test, db_keeper_start(test->url, &keeper, NULL));
	wait_for_size(test, "", (int64_t)BLOBS * BLOB_BYTES);
	db_keeper_stop(keeper);
	assert_int_equal(test_database_int64(test, "SELECT count(*) FROM blobs"), BLOBS);
}

/* Writes without a pause: the WAL is started over under the writer, and what it had grown beyond is cut off. */
static void
the_wal_starts_over_while_writers_go_on(void **state)
{
	struct test_database *test = *state;
	struct db_keeper *keeper;
	int n = BLOBS;

	test_database_run(test, "CREATE TABLE blobs (bytes BLOB)");
	write_blobs(test, BLOBS); /* before the keeper begins, so that it must become too large */
	assert_true(file_size(test, "-wal") > WAL_KEPT_BYTES);
	check_ok(test, db_keeper_start(test->url, &keeper, NULL));
	for (; file_size(test, "-wal") > WAL_KEPT_BYTES && n < BLOBS_MAX; n++)
		write_blobs(test, 1);
	assert_true(file_size(test, "-wal") <= WAL_KEPT_BYTES);
	assert_int_equal(test_database_int64(test, "SELECT count(*) FROM blobs"), n);
	db_keeper_stop(keeper);
}

static void
another_keeper_takes_over(void **state)
{
	struct test_database *test = *state;
	struct db_keeper *first, *second;

	test_database_run(test, "CREATE TABLE blobs (bytes BLOB)");
	check_ok(test, db_keeper_start(test->url, &first, NULL));
	write_blobs(test, 1);
	wait_for_size(test, "", BLOB_BYTES); /* the first one has the lock */
	check_ok(test, db_keeper_start(test->url, &second, NULL));
	db_keeper_stop(first);
	write_blobs(test, 1);
	wait_for_size(test, "", (int64_t)2 * BLOB_BYTES);
	db_keeper_stop(second);
	db_keeper_stop(NULL);
}

static void
start_says_what_is_wrong(void **state)
{
	struct db_keeper *keeper;
	struct fault fault = {0};

	(void)state;
	check_status(db_keeper_start("sqlite:/nonexistent/x.db", &keeper, &fault), ERR_UNAVAILABLE);
	assert_non_null(strstr(fault.detail, "/nonexistent/x.db"));
	check_status(db_keeper_start("other:x", &keeper, &fault), ERR_INVALID);
}

#define WITH_DATABASE(test) cmocka_unit_test_setup_teardown(test, test_database_setup, test_database_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DATABASE(nothing_else_checkpoints),
		WITH_DATABASE(the_keeper_checkpoints_what_was_there_before),
		WITH_DATABASE(the_wal_starts_over_while_writers_go_on),
		WITH_DATABASE(another_keeper_takes_over),
		cmocka_unit_test(start_says_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
