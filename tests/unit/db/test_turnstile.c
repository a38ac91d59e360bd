/* Writers of several threads and processes take turns, and a light one is not starved by a busy one. */
#include "support/database.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <time.h>

#include "base/clock.h"

enum { TRANSACTIONS = 150, THREADS = 3, LIGHT_TRANSACTIONS = 40, OVERTAKEN_MAX = 10 };

/* Reads, then writes what it read plus one: a lost update shows in the sum. */
static enum status
count_up(struct db *db)
{
	struct db_stmt *stmt;
	enum status status;
	int64_t value = 0;
	bool row;

	TRY(db_begin(db, DB_WRITE));
	stmt = db_prepare(db, "SELECT n FROM counter");
	status = db_one(stmt, &row);
	if (status == OK)
		value = db_column_int64(stmt, 0);
	db_finish(stmt);
	if (status == OK) {
		stmt = db_prepare(db, "UPDATE counter SET n = $1");
		db_bind_int64(stmt, 1, value + 1);
		status = db_run(stmt);
		db_finish(stmt);
	}
	if (status == OK)
		return db_commit(db, NULL);
	db_rollback(db);
	return status;
}

static enum status
count_many(const char *url)
{
	enum status status = OK;
	struct db *db;

	TRY(db_open(url, DB_ACCESS_WRITE, &db, NULL));
	for (int i = 0; i < TRANSACTIONS && status == OK; i++)
		status = count_up(db);
	db_close(db);
	return status;
}

static void *
count_in_thread(void *context)
{
	return (void *)(uintptr_t)count_many(context);
}

static void
no_update_is_lost(void **state)
{
	struct test_database *test = *state;
	pthread_t threads[THREADS];
	int exit_status;
	void *result;
	pid_t child;

	test_database_run(test, "CREATE TABLE counter (n BIGINT NOT NULL); INSERT INTO counter VALUES (0)");
	child = fork();
	if (child == 0)
		_exit(count_many(test->url) == OK ? 0 : 1);
	assert_true(child > 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_in_thread, test->url), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &result);
		check_status((enum status)(uintptr_t)result, OK);
	}
	assert_int_equal(waitpid(child, &exit_status, 0), child);
	assert_int_equal(exit_status, 0);
	assert_int_equal(test_database_int64(test, "SELECT n FROM counter"), (THREADS + 1) * TRANSACTIONS);
}

struct busy {
	const char *url;
	atomic_bool stop;
	atomic_int committed;
	enum status status;
};

static void *
write_without_pause(void *context)
{
	struct busy *busy = context;
	struct db *db;

	busy->status = db_open(busy->url, DB_ACCESS_WRITE, &db, NULL);
	while (busy->status == OK && !atomic_load(&busy->stop)) {
		busy->status = count_up(db);
		atomic_fetch_add(&busy->committed, 1);
	}
	db_close(db);
	return NULL;
}

/* How often the busy one commits while the light one waits for its turn, on average. */
static void
a_light_writer_is_not_starved(void **state)
{
	struct test_database *test = *state;
	struct busy busy = {.url = test->url};
	pthread_t thread;
	int overtaken = 0;

	test_database_run(test, "CREATE TABLE counter (n BIGINT NOT NULL); INSERT INTO counter VALUES (0)");
	assert_int_equal(pthread_create(&thread, NULL, write_without_pause, &busy), 0);
	while (atomic_load(&busy.committed) < 10)
		sched_yield();
	for (int i = 0; i < LIGHT_TRANSACTIONS; i++) {
		int before = atomic_load(&busy.committed);

		check_ok(test, db_begin(test->db, DB_WRITE));
		overtaken += atomic_load(&busy.committed) - before;
		db_rollback(test->db);
	}
	atomic_store(&busy.stop, true);
	pthread_join(thread, NULL);
	check_status(busy.status, OK);
	assert_in_range(overtaken / LIGHT_TRANSACTIONS, 0, OVERTAKEN_MAX);
}

/* A turn ends with its process, however it ends. */
static void
a_killed_writer_gives_its_turn_back(void **state)
{
	struct test_database *test = *state;
	int pipe_fds[2], exit_status;
	char byte;
	pid_t child;

	assert_int_equal(pipe(pipe_fds), 0);
	child = fork();
	if (child == 0) {
		struct db *db;

		if (db_open(test->url, DB_ACCESS_WRITE, &db, NULL) != OK || db_begin(db, DB_WRITE) != OK ||
		    db_run_script(db, "DELETE FROM meta") != OK || write(pipe_fds[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_true(child > 0);
	close(pipe_fds[1]);
	assert_int_equal(read(pipe_fds[0], &byte, 1), 1); /* it is in its turn */
	kill(child, SIGKILL);
	waitpid(child, &exit_status, 0);
	close(pipe_fds[0]);
	check_ok(test, db_begin(test->db, DB_WRITE));
	assert_true(test_database_int64(test, "SELECT count(*) FROM meta") > 0);
	db_rollback(test->db);
}

/* A process that is stopped in its turn stops nobody for ever: they are told, and go on when it does. */
static void
a_stopped_writer_does_not_stop_the_others(void **state)
{
	struct test_database *test = *state;
	int fd = open(arena_printf(&test->arena, "%s.write", test->path), O_RDWR);
	int64_t begun_ms = clock_monotonic_ms();

	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	check_status(db_begin(test->db, DB_WRITE), ERR_UNAVAILABLE);
	assert_false(db_in_transaction(test->db));
	assert_true(clock_monotonic_ms() - begun_ms < 3 * 6000);
	close(fd);
	check_ok(test, db_begin(test->db, DB_WRITE));
	db_rollback(test->db);
}

/* Gives the lock back in the middle of somebody's patience. */
static void *
hold_next(void *argument)
{
	const int *fd = argument;

	nanosleep(&(struct timespec){.tv_sec = 2}, NULL);
	flock(*fd, LOCK_UN);
	return NULL;
}

/* Who waited long for the first lock waits no second time as long for the other. */
static void
patience_is_for_both_locks(void **state)
{
	struct test_database *test = *state;
	int next_fd = open(arena_printf(&test->arena, "%s.next", test->path), O_RDWR);
	int write_fd = open(arena_printf(&test->arena, "%s.write", test->path), O_RDWR);
	int64_t begun_ms = clock_monotonic_ms();
	pthread_t thread;

	assert_true(next_fd >= 0 && write_fd >= 0);
	assert_int_equal(flock(next_fd, LOCK_EX), 0);
	assert_int_equal(flock(write_fd, LOCK_EX), 0);
	assert_int_equal(pthread_create(&thread, NULL, hold_next, &next_fd), 0);
	check_status(db_begin(test->db, DB_WRITE), ERR_UNAVAILABLE);
	assert_in_range(clock_monotonic_ms() - begun_ms, 2900, 4500); /* twice the patience from 2 s on would be 5 s */
	pthread_join(thread, NULL);
	close(next_fd);
	close(write_fd);
}

/* Read by an operator who waits: the process, its name, and whether it is stopped. */
static void
who_is_in_is_named(void **state)
{
	struct test_database *test = *state;
	struct test_database other = *test;
	struct buf said = {0};
	char wanted[32];

	check_ok(test, db_open(test->url, DB_ACCESS_WRITE, &other.db, NULL));
	db_who_holds(test->db, &said);
	assert_int_equal(said.len, 0);
	check_ok(&other, db_begin(other.db, DB_WRITE));
	db_who_holds(test->db, &said);
	snprintf(wanted, sizeof wanted, "PID %d, ", (int)getpid());
	assert_non_null(said.bytes);
	assert_memory_equal(said.bytes, wanted, strlen(wanted));
	assert_non_null(strstr(said.bytes, " (running)\n"));
	check_ok(&other, db_commit(other.db, NULL));
	db_close(other.db);
	buf_finish(&said);
}

#define WITH_DATABASE(test) cmocka_unit_test_setup_teardown(test, test_database_setup, test_database_teardown)

/* Somebody without our locks (the sqlite3 shell; here a handle whose lock files are others) is kept out by SQLite itself
 * from the beginning of a transaction, not from its first change: or a read that becomes a write would fail at once. */
static void
a_writer_without_the_turnstile_is_kept_out(void **state)
{
	struct test_database *test = *state;
	struct db *outsider;

	unlink(arena_printf(&test->arena, "%s.next", test->path));
	unlink(arena_printf(&test->arena, "%s.write", test->path));
	check_ok(test, db_open(test->url, DB_ACCESS_WRITE, &outsider, NULL));
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_status(db_begin(outsider, DB_WRITE), ERR_UNAVAILABLE);
	assert_non_null(strstr(db_error(outsider), "locked"));
	assert_false(db_in_transaction(outsider));
	db_rollback(test->db);
	check_ok(test, db_begin(outsider, DB_WRITE));
	db_close(outsider); /* rolls back */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DATABASE(who_is_in_is_named),
		WITH_DATABASE(no_update_is_lost),
		WITH_DATABASE(a_light_writer_is_not_starved),
		WITH_DATABASE(a_killed_writer_gives_its_turn_back),
		WITH_DATABASE(a_stopped_writer_does_not_stop_the_others),
		WITH_DATABASE(patience_is_for_both_locks),
		WITH_DATABASE(a_writer_without_the_turnstile_is_kept_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
