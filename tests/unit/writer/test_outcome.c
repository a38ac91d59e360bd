/* writer/batch: what a failing database does to a batch: nobody knows, nothing was committed, somebody else holds the lock.
 *
 * The driver can't be made to fail at will, so the batch is compiled here with begin, lock and commit of this file. */
#include "support/writing.h"

#include "metrics.h"

static enum status next_begin, next_lock, next_commit;
static enum db_trouble next_trouble,
	trouble; /* what the next failing commit has met; what the newest transaction has */
static bool next_unknown;
static int n_begun, n_fails; /* how many times the next_… hold; then all is well again */

static enum status
fail_next(enum status status)
{
	return status != OK && n_fails > 0 && n_fails-- ? status : OK;
}

static enum status
begin(struct db *db, enum db_transaction kind)
{
	n_begun++;
	trouble = DB_TROUBLE_NONE;
	TRY(fail_next(next_begin));
	return db_begin(db, kind);
}

static enum status
lock_ids(struct db *db, enum db_lockable table, const char *const *ids, size_t n_ids)
{
	if (next_lock != OK && n_fails > 0) {
		enum status status = next_lock;

		n_fails--;
		trouble = status == ERR_UNAVAILABLE ? DB_TROUBLE_CONVERSATION_LOCKED : DB_TROUBLE_NONE;
		if (next_commit != OK) /* the other one is the commit's */
			next_lock = OK;
		return status;
	}
	return db_lock(db, table, ids, n_ids);
}

static enum status
commit(struct db *db, bool *ret_unknown)
{
	bool unknown = next_unknown && n_fails > 0;
	enum status status = fail_next(next_commit);

	if (status == OK || unknown) /* unknown: it was committed, but that could not be told */
		TRY(db_commit(db, ret_unknown));
	else
		db_rollback(db);
	*ret_unknown = unknown;
	trouble = status != OK ? next_trouble : trouble;
	return status;
}

static enum db_trouble
trouble_met(const struct db *db)
{
	(void)db;
	return trouble;
}

#define db_begin begin
#define db_lock lock_ids
#define db_commit commit
#define db_trouble(db) trouble_met(db)
#include "writer/batch.c"
#include "writer/locks.c"
#undef db_begin
#undef db_lock
#undef db_commit
#undef db_trouble

enum { N = 5 };

struct fixture {
	struct test_database *test;
	struct batch_runner runner;
	struct write_send_message sends[N]; /* three from Ada to Bob, two to herself */
	char ada[ID_SIZE], bob[ID_SIZE];
};

static int
set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);

	assert_int_equal(test_database_setup((void **)&fixture->test), 0);
	fixture->runner.db = fixture->test->db;
	add_person(fixture->test, "ada", fixture->ada);
	add_person(fixture->test, "bob", fixture->bob);
	for (int i = 0; i < N; i++)
		make_direct_send(&fixture->sends[i], fixture->ada, i < 3 ? fixture->bob : fixture->ada, NULL, "hello");
	next_begin = next_lock = next_commit = OK;
	next_unknown = false;
	next_trouble = DB_TROUBLE_NONE;
	n_begun = n_fails = 0;
	*state = fixture;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *fixture = *state;

	for (int i = 0; i < N; i++)
		arena_finish(&fixture->sends[i].op.arena);
	test_database_teardown((void **)&fixture->test);
	free(fixture);
	return 0;
}

static void
run(struct fixture *fixture)
{
	struct write_op *ops[N];

	for (int i = 0; i < N; i++)
		ops[i] = &fixture->sends[i].op;
	batch_run(&fixture->runner, ops, N);
	assert_false(db_in_transaction(fixture->test->db));
}

static void
assert_all(struct fixture *fixture, const char *code)
{
	for (int i = 0; i < N; i++)
		assert_refused(&fixture->sends[i].op, ERR_UNAVAILABLE, code);
}

static int64_t
n_messages(struct fixture *fixture)
{
	return test_database_int64(fixture->test, "SELECT count(*) FROM messages");
}

static void
an_unknown_outcome_is_said_and_settled_by_the_ids(void **state)
{
	struct fixture *fixture = *state;

	next_commit = ERR_INTERNAL;
	next_unknown = true;
	n_fails = 1;
	run(fixture);
	assert_all(fixture, "outcome_unknown");
	assert_int_equal(n_begun, 1); /* never run again blindly */
	assert_int_equal(n_messages(fixture), N);
	run(fixture);
	for (int i = 0; i < N; i++) {
		assert_int_equal(fixture->sends[i].op.status, OK);
		assert_true(fixture->sends[i].replayed);
	}
	assert_int_equal(n_messages(fixture), N);
}

static void
a_failed_commit_runs_one_by_one(void **state)
{
	struct fixture *fixture = *state;

	next_commit = ERR_UNAVAILABLE;
	n_fails = 1;
	run(fixture);
	for (int i = 0; i < N; i++)
		assert_stored(&fixture->sends[i], i < 3 ? i + 1 : i - 2, i < 3 ? i + 2 : i - 1);
	assert_int_equal(n_begun, 1 + N);

	n_fails = 1000; /* the disk is full */
	for (int i = 0; i < N; i++)
		id_make(fixture->sends[i].draft.id);
	run(fixture);
	assert_all(fixture, "database_unavailable");
	assert_int_equal(n_messages(fixture), N);
}

/* The batch fails for certain, then the first one by itself ends unknown: the others are not dragged along. */
static void
an_unknown_outcome_of_one_leaves_the_others(void **state)
{
	struct fixture *fixture = *state;
	int n_unknown = 0;

	next_lock = ERR_INTERNAL;
	next_commit = ERR_INTERNAL;
	next_unknown = true;
	n_fails = 2;
	run(fixture);
	for (int i = 0; i < N; i++)
		if (fixture->sends[i].op.status != OK) {
			assert_refused(&fixture->sends[i].op, ERR_UNAVAILABLE, "outcome_unknown");
			n_unknown++;
		}
	assert_int_equal(n_unknown, 1);
	assert_int_equal(n_messages(fixture), N);
}

static void
a_database_that_is_gone_is_asked_once(void **state)
{
	struct fixture *fixture = *state;

	next_begin = ERR_UNAVAILABLE;
	n_fails = 1000;
	run(fixture);
	assert_all(fixture, "database_unavailable");
	assert_int_equal(n_begun, 1);
}

static void
a_lock_that_is_held_is_waited_for_twice(void **state)
{
	struct fixture *fixture = *state;
	const char *first = fixture->sends[0].op.conversation_id, *second = fixture->sends[N - 1].op.conversation_id;
	int n_first = strcmp(first, second) < 0 ? 3 : 2; /* operations on the conversation that is locked first */

	next_lock = ERR_UNAVAILABLE;
	n_fails = 2; /* the batch's, and the first one's by itself */
	run(fixture);
	for (int i = 0; i < N; i++) {
		bool held = (i < 3) == (n_first == 3);

		if (held)
			assert_refused(&fixture->sends[i].op, ERR_UNAVAILABLE, "database_unavailable");
		else
			assert_int_equal(fixture->sends[i].op.status, OK);
	}
	assert_int_equal(n_begun, 2 + N - n_first);
	assert_int_equal(n_messages(fixture), N - n_first);
}

/* Another transaction was in the way: the batch is not taken apart for it. */
static void
a_clash_runs_the_whole_batch_again(void **state)
{
	struct fixture *fixture = *state;

	next_commit = ERR_UNAVAILABLE;
	next_trouble = DB_TROUBLE_CLASH;
	n_fails = 2;
	run(fixture);
	for (int i = 0; i < N; i++)
		assert_stored(&fixture->sends[i], i < 3 ? i + 1 : i - 2, i < 3 ? i + 2 : i - 1);
	assert_int_equal(n_begun, 3);
	assert_int_equal(n_messages(fixture), N);
}

static void
a_clash_does_not_go_on_for_ever(void **state)
{
	struct fixture *fixture = *state;

	next_commit = ERR_UNAVAILABLE;
	next_trouble = DB_TROUBLE_CLASH;
	n_fails = 1000;
	run(fixture);
	assert_all(fixture, "database_unavailable");
	assert_int_equal(n_begun, CLASHES_MAX * (1 + N));
	assert_int_equal(n_messages(fixture), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_unknown_outcome_is_said_and_settled_by_the_ids),
		CASE(a_failed_commit_runs_one_by_one),
		CASE(an_unknown_outcome_of_one_leaves_the_others),
		CASE(a_database_that_is_gone_is_asked_once),
		CASE(a_lock_that_is_held_is_waited_for_twice),
		CASE(a_clash_runs_the_whole_batch_again),
		CASE(a_clash_does_not_go_on_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
