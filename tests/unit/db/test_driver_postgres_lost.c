/* Sessions with PostgreSQL that end: before, in and at the end of a transaction, and a server that does not answer. */
#include "things.h"

#include <signal.h>

#include "base/clock.h"

static void
a_killed_session_is_made_anew(void **state)
{
	struct test_database *test = *state;
	uint64_t number = db_connection_number(test->db);

	set_up_table(test);
	assert_int_equal(count_things(test), 2);
	kill_session(test);
	assert_int_equal(count_things(test), 2); /* a read outside a transaction, with a statement prepared before */
	assert_int_equal(db_connection_number(test->db), number + 1);

	kill_session(test);
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, rename_thing(test->db, 1, "uno"));
	assert_int_equal(db_connection_number(test->db), number + 2);
	check_ok(test, db_commit(test->db, NULL));
}

static void
a_session_killed_in_a_transaction_ends_it(void **state)
{
	struct test_database *test = *state;
	uint64_t number = db_connection_number(test->db);
	bool unknown = true;

	set_up_table(test);
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, rename_thing(test->db, 1, "uno"));
	kill_session(test);
	check_status(rename_thing(test->db, 2, "due"), ERR_UNAVAILABLE);
	check_status(rename_thing(test->db, 2, "tre"), ERR_UNAVAILABLE);
	check_status(db_commit(test->db, &unknown), ERR_UNAVAILABLE);
	assert_false(unknown); /* it was never sent */
	assert_int_equal(db_connection_number(test->db), number);
	assert_int_equal(test_database_int64(test, "SELECT count(*) FROM things WHERE name = 'uno'"), 0);
	assert_int_equal(db_connection_number(test->db), number + 1);
}

static void
a_commit_without_an_answer_is_unknown(void **state)
{
	struct test_database *test = *state;
	bool unknown = false;

	set_up_table(test);
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, rename_thing(test->db, 1, "uno"));
	kill_session(test);
	check_status(db_commit(test->db, &unknown), ERR_INTERNAL);
	assert_true(unknown);
	assert_false(db_in_transaction(test->db));
	assert_int_equal(count_things(test), 2);

	unknown = true;
	check_ok(test, db_begin(test->db, DB_READ));
	assert_int_equal(count_things(test), 2);
	kill_session(test);
	check_ok(test, db_commit(test->db, &unknown)); /* there was nothing to store */
	assert_false(unknown);
	assert_int_equal(count_things(test), 2);
}

/* The server's last word stands where the answer to the first of them would: it has not heard the COMMIT. */
static void
what_was_asked_of_a_dead_session_is_not_stored(void **state)
{
	struct test_database *test = *state;
	bool unknown = true, row;

	set_up_table(test);
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, rename_thing(test->db, 1, "uno"));

	int64_t pid = backend(test);
	struct db_stmt *stmt = db_prepare(test->db, "UPDATE things SET name = 'due' WHERE id = 2");
	db_ask(stmt);
	db_finish(stmt);
	kill_backend(test, pid);
	check_status(db_commit(test->db, &unknown), ERR_UNAVAILABLE);
	assert_false(unknown);
	assert_int_equal(test_database_int64(test, "SELECT count(*) FROM things WHERE name IN ('uno', 'due')"), 0);

	pid = backend(test);
	check_ok(test, db_begin(test->db, DB_WRITE)); /* nothing was answered yet: all is asked again */
	stmt = db_prepare(test->db, "UPDATE things SET name = 'tre' WHERE id = 1 RETURNING id");
	db_ask(stmt);
	kill_backend(test, pid);
	check_ok(test, db_one(stmt, &row));
	assert_true(row);
	db_finish(stmt);
	check_ok(test, db_commit(test->db, NULL));
	assert_int_equal(test_database_int64(test, "SELECT count(*) FROM things WHERE name = 'tre'"), 1);
}

/* PostgreSQL warns with the COMMIT itself when it did not wait for a standby: no other warning is one. */
static void
a_warning_before_the_commit_is_none_of_it(void **state)
{
	struct test_database *test = *state;
	bool unknown = false;

	set_up_table(test);
	test_database_run(test, "CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS"
				" $$BEGIN RAISE WARNING 'mind'; RETURN NEW; END$$");
	test_database_run(test, "CREATE TRIGGER warns BEFORE UPDATE ON things FOR EACH ROW EXECUTE FUNCTION warn()");
	check_ok(test, db_begin(test->db, DB_WRITE));

	struct db_stmt *stmt = db_prepare(test->db, "UPDATE things SET name = 'uno' WHERE id = 1");
	db_ask(stmt);
	db_finish(stmt);
	check_ok(test, db_commit(test->db, &unknown));
	assert_false(unknown);
	assert_int_equal(test_database_int64(test, "SELECT count(*) FROM things WHERE name = 'uno'"), 1);

	test_database_run(test,
			  "CREATE CONSTRAINT TRIGGER warns_late AFTER UPDATE ON things DEFERRABLE INITIALLY DEFERRED"
			  " FOR EACH ROW EXECUTE FUNCTION warn()");
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, rename_thing(test->db, 1, "due"));
	check_status(db_commit(test->db, &unknown), ERR_INTERNAL); /* with the COMMIT */
	assert_true(unknown);
}

/* BEGIN goes with the first statement, and nobody waits for the end. */
static void
a_read_transaction_survives_what_came_before_it(void **state)
{
	struct test_database *test = *state;
	uint64_t number = db_connection_number(test->db);

	set_up_table(test);
	check_ok(test, db_begin(test->db, DB_READ));
	db_rollback(test->db); /* nothing was asked in it */
	for (int i = 0; i < 3; i++) {
		kill_session(test);
		check_ok(test, db_begin(test->db, DB_READ));
		assert_int_equal(count_things(test), 2);
		assert_int_equal(count_things(test), 2);
		if (i == 1)
			check_ok(test, db_commit(test->db, NULL));
		else
			db_rollback(test->db);
	}
	assert_int_equal(db_connection_number(test->db), number + 3);
	check_ok(test, db_begin(test->db, DB_READ));
	kill_session(test); /* by the first statement in it, which had another session */
	check_status(db_commit(test->db, NULL), OK);
	check_ok(test, db_begin(test->db, DB_READ));
	assert_int_equal(count_things(test), 2);
	kill_session(test);
	check_status(read_names(test), ERR_UNAVAILABLE); /* half a snapshot is none */
	db_rollback(test->db);
	assert_int_equal(count_things(test), 2);
}

static void
a_server_that_does_not_answer_is_left(void **state)
{
	struct test_database *test = *state;
	struct test_database slow = *test;
	char url[400];
	bool row;

	snprintf(url, sizeof url, "%s%%20-cstatement_timeout%%3D200", test->url);
	check_ok(test, db_open(url, DB_ACCESS_READ, &slow.db, NULL));

	struct db_stmt *stmt = db_prepare(slow.db, "SELECT 1 FROM pg_sleep(20)");

	check_status(db_one(stmt, &row), ERR_UNAVAILABLE); /* the server itself gives up */
	db_finish(stmt);
	assert_non_null(strstr(db_error(slow.db), "57014"));
	assert_int_equal(db_connection_number(slow.db), 1);

	int64_t pid = backend(&slow), began_ms = clock_monotonic_ms();
	kill((pid_t)pid, SIGSTOP); /* it cannot even give up */
	stmt = db_prepare(slow.db, "SELECT 1");
	enum status status = db_one(stmt, &row);
	db_finish(stmt);
	kill((pid_t)pid, SIGCONT);
	print_message("left after %d ms\n", (int)(clock_monotonic_ms() - began_ms));
	check_status(status, OK); /* on a new connection */
	assert_int_equal(db_connection_number(slow.db), 2);
	db_close(slow.db);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DATABASE(a_killed_session_is_made_anew),
		WITH_DATABASE(a_session_killed_in_a_transaction_ends_it),
		WITH_DATABASE(a_commit_without_an_answer_is_unknown),
		WITH_DATABASE(what_was_asked_of_a_dead_session_is_not_stored),
		WITH_DATABASE(a_warning_before_the_commit_is_none_of_it),
		WITH_DATABASE(a_read_transaction_survives_what_came_before_it),
		WITH_DATABASE(a_server_that_does_not_answer_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
