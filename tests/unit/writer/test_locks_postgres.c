/* writer/locks: what another client of PostgreSQL keeps locked: deadlocks run again, and whom it concerns is held back alone.
 *
 * All waits are as long as they are by default; only the other client waits longer, so that it is always ours who gives up. */
#include "support/redis_server.h"
#include "support/writing.h"

#include <pthread.h>
#include <stdatomic.h>

#include "metrics.h"
#include "store/sessions.h"

struct fixture {
	struct test_database *test; /* the other client's connection */
	struct writer *writer;
	char ada[ID_SIZE], bob[ID_SIZE], eve[ID_SIZE];
	char talk[ID_SIZE]; /* of Ada and Bob, with three messages of Ada's */
};

static int
set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	struct write_send_message send;

	assert_int_equal(test_database_setup((void **)&fixture->test), 0);
	add_person(fixture->test, "ada", fixture->ada);
	add_person(fixture->test, "bob", fixture->bob);
	add_person(fixture->test, "eve", fixture->eve);
	assert_int_equal(writer_create(fixture->test->url, 1, NULL, &fixture->writer, NULL), OK);
	id_direct_conversation(fixture->ada, fixture->bob, fixture->talk);
	for (int i = 0; i < 3; i++) {
		make_direct_send(&send, fixture->ada, fixture->bob, NULL, "word");
		assert_int_equal(writer_run(fixture->writer, &send.op), OK);
		arena_finish(&send.op.arena);
	}
	*state = fixture;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *fixture = *state;

	writer_destroy(fixture->writer);
	test_database_teardown((void **)&fixture->test);
	free(fixture);
	return 0;
}

/* The other client begins, and keeps the person until it commits. */
static void
hold(struct fixture *fixture, const char *user_id)
{
	check_ok(fixture->test, db_begin(fixture->test->db, DB_WRITE));
	check_ok(fixture->test, db_run_script(fixture->test->db, "SET LOCAL lock_timeout = '20s'"));
	check_ok(fixture->test, db_lock(fixture->test->db, DB_LOCK_USERS, &user_id, 1));
	check_ok(fixture->test, db_settle(fixture->test->db));
}

static void
let_go(struct fixture *fixture)
{
	check_ok(fixture->test, db_commit(fixture->test->db, NULL));
}

static int64_t
n_waiting(struct fixture *fixture)
{
	return test_database_int64(fixture->test, "SELECT count(*) FROM pg_locks WHERE NOT granted"
						  " AND pg_backend_pid() = ANY (pg_blocking_pids(pid))");
}

static void
prepare_mark(struct fixture *fixture, struct write_mark_read *ret_write, const char *user_id, int64_t seq)
{
	*ret_write = (struct write_mark_read){.op.kind = WRITE_MARK_READ, .seq = seq};
	memcpy(ret_write->conversation_id, fixture->talk, ID_SIZE);
	memcpy(ret_write->user_id, user_id, ID_SIZE);
	ret_write->op.conversation_id = ret_write->conversation_id;
}

/* How the operation ended; *ret_retry_after_ms is 0 when it was waited for. */
static enum status
mark(struct fixture *fixture, const char *user_id, int64_t seq, int64_t *ret_retry_after_ms)
{
	struct write_mark_read write;

	prepare_mark(fixture, &write, user_id, seq);
	enum status status = writer_run(fixture->writer, &write.op);
	*ret_retry_after_ms = write.op.fault.retry_after_ms;
	if (status != OK)
		assert_refused(&write.op, ERR_UNAVAILABLE, "database_unavailable");
	arena_finish(&write.op.arena);
	return status;
}

/* To a person, whose row is locked too as it may be the first message, or (NULL) to the talk. */
static enum status
send_one(struct fixture *fixture, const char *sender_id, const char *recipient_id, int64_t *ret_retry_after_ms)
{
	struct write_send_message send;

	if (recipient_id)
		make_direct_send(&send, sender_id, recipient_id, NULL, "word");
	else
		make_send(&send, sender_id, fixture->talk, NULL, "word");
	enum status status = writer_run(fixture->writer, &send.op);
	*ret_retry_after_ms = send.op.fault.retry_after_ms;
	arena_finish(&send.op.arena);
	return status;
}

static enum status
log_in(struct fixture *fixture, const char *user_id, int64_t *ret_retry_after_ms)
{
	struct write_session write = {.op.kind = WRITE_CREATE_SESSION};

	write.session = (struct login_session){.user_agent = "test",
					       .address = "127.0.0.1",
					       .created_at_ms = 1,
					       .expires_at_ms = INT64_MAX};
	id_make(write.session.id);
	snprintf(write.session.family_hash, ID_SECRET_SIZE, "%.33s", write.session.id);
	memcpy(write.session.user_id, user_id, ID_SIZE);
	enum status status = writer_run(fixture->writer, &write.op);
	*ret_retry_after_ms = write.op.fault.retry_after_ms;
	arena_finish(&write.op.arena);
	return status;
}

struct run {
	struct writer *writer;
	struct write_op *op;
	pthread_t thread;
};

static void *
run_there(void *argument)
{
	struct run *run = argument;

	return writer_run(run->writer, run->op) == OK ? run : NULL;
}

/* Ours has the conversation and waits for Bob, whom the other one has, who waits for the conversation. */
static void
a_deadlock_is_run_again(void **state)
{
	struct fixture *fixture = *state;
	struct write_mark_read write;
	struct run run = {.writer = fixture->writer, .op = &write.op};
	const char *talk = fixture->talk;
	int64_t clashes = metrics_get(METRIC_WRITER_CLASHES);

	hold(fixture, fixture->bob);
	prepare_mark(fixture, &write, fixture->bob, 2);
	assert_int_equal(pthread_create(&run.thread, NULL, run_there, &run), 0);
	WAIT_FOR(n_waiting(fixture) == 1);
	check_ok(fixture->test, db_lock(fixture->test->db, DB_LOCK_CONVERSATIONS, &talk, 1));
	check_ok(fixture->test, db_settle(fixture->test->db));
	let_go(fixture);
	pthread_join(run.thread, NULL);
	assert_string_equal(write.op.fault.code ? write.op.fault.code : "", "");
	check_status(write.op.status, OK);
	assert_int_equal(metrics_get(METRIC_WRITER_CLASHES), clashes + 1);
	assert_int_equal(test_database_int64(fixture->test, "SELECT max(read_seq) FROM members"), 2);
	arena_finish(&write.op.arena);
}

/* Two processes' batches of two sign-ups each, in turned order, on connections of their own. */
struct process {
	struct batch_runner runner;
	struct write_sign_up sign_ups[2];
	pthread_t thread;
};

static void *
run_batch(void *argument)
{
	struct process *process = argument;
	struct write_op *ops[] = {&process->sign_ups[0].op, &process->sign_ups[1].op};

	batch_run(&process->runner, ops, 2);
	return NULL;
}

static void
prepare_sign_up(struct write_sign_up *ret_write, const char *username)
{
	*ret_write = (struct write_sign_up){
		.op.kind = WRITE_SIGN_UP,
		.user = {.username = username, .username_key = username, .display_name = username},
		.password_hash = "$hash",
		.session = {.user_agent = "test", .address = "127.0.0.1", .expires_at_ms = INT64_MAX},
	};
	id_make(ret_write->user.id);
	id_make(ret_write->session.id);
	snprintf(ret_write->session.family_hash, ID_SECRET_SIZE, "%.33s", ret_write->session.id);
	memcpy(ret_write->session.user_id, ret_write->user.id, ID_SIZE);
}

static void
two_writers_in_each_others_way_lose_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct process processes[2] = {0};
	static const char *const names[] = {"fay", "gus"};
	int64_t retries = metrics_get(METRIC_WRITER_RETRIES), clashes = metrics_get(METRIC_WRITER_CLASHES);

	check_ok(fixture->test, db_begin(fixture->test->db, DB_WRITE));
	/* Each has its first person when both are let go on to their second one, who is the other's first. */
	check_ok(fixture->test, db_run_script(fixture->test->db, "LOCK TABLE sessions IN SHARE MODE"));
	for (int i = 0; i < 2; i++) {
		held_init(&processes[i].runner.held);
		check_ok(fixture->test, db_open(fixture->test->url, DB_ACCESS_WRITE, &processes[i].runner.db, NULL));
		for (int n = 0; n < 2; n++)
			prepare_sign_up(&processes[i].sign_ups[n], names[(i + n) % 2]);
		assert_int_equal(pthread_create(&processes[i].thread, NULL, run_batch, &processes[i]), 0);
	}
	WAIT_FOR(n_waiting(fixture) == 2);
	let_go(fixture);
	for (int i = 0; i < 2; i++)
		pthread_join(processes[i].thread, NULL);
	assert_true(metrics_get(METRIC_WRITER_RETRIES) + metrics_get(METRIC_WRITER_CLASHES) > retries + clashes);
	for (int n = 0; n < 2; n++) { /* each name has one owner, and the other one knows */
		struct write_op *one = &processes[0].sign_ups[n].op, *other = &processes[1].sign_ups[1 - n].op;
		struct write_op *loser = one->status == OK ? other : one;

		check_status((one->status == OK ? one : other)->status, OK);
		assert_refused(loser, ERR_CONFLICT, "username_taken");
	}
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(*) FROM users"), 5);
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(*) FROM sessions"), 2);
	for (int i = 0; i < 2; i++) {
		for (int n = 0; n < 2; n++)
			arena_finish(&processes[i].sign_ups[n].op.arena);
		held_finish(&processes[i].runner.held);
		db_close(processes[i].runner.db);
	}
}

static void
a_person_who_is_held_is_held_back_alone(void **state)
{
	struct fixture *fixture = *state;
	int64_t wait_ms;

	hold(fixture, fixture->bob);
	check_status(mark(fixture, fixture->bob, 2, &wait_ms), ERR_UNAVAILABLE);
	assert_int_equal(wait_ms, 0); /* it has found out */
	check_status(mark(fixture, fixture->ada, 2, &wait_ms), OK);
	check_status(send_one(fixture, fixture->ada, NULL, &wait_ms), OK);
	check_status(log_in(fixture, fixture->ada, &wait_ms), OK);
	if (mark(fixture, fixture->bob, 2, &wait_ms) == OK || log_in(fixture, fixture->bob, &wait_ms) == OK)
		fail_msg("nobody can have it");
	assert_in_range(wait_ms, 1, HELD_TRY_MS);
	let_go(fixture);
	WAIT_FOR(mark(fixture, fixture->bob, 2, &wait_ms) == OK);
	check_status(log_in(fixture, fixture->bob, &wait_ms), OK); /* nothing is remembered */
}

/* A first message changes both people. */
static void
of_two_people_the_one_who_is_held_is_found(void **state)
{
	struct fixture *fixture = *state;
	int64_t wait_ms;

	hold(fixture, fixture->bob);
	check_status(send_one(fixture, fixture->eve, fixture->bob, &wait_ms), ERR_UNAVAILABLE);
	assert_int_equal(wait_ms, 0);
	check_status(log_in(fixture, fixture->eve, &wait_ms), OK);
	check_status(send_one(fixture, fixture->eve, fixture->ada, &wait_ms), OK);
	check_status(mark(fixture, fixture->bob, 2, &wait_ms), ERR_UNAVAILABLE);
	assert_in_range(wait_ms, 1, HELD_TRY_MS);
	let_go(fixture);
	WAIT_FOR(send_one(fixture, fixture->eve, fixture->bob, &wait_ms) == OK);
}

/* Nobody else's batch waits for as long as it takes to find out about each of many. */
static void
behind_a_locked_table_few_are_tried(void **state)
{
	enum { N_MANY = 24 };
	struct fixture *fixture = *state;
	struct batch_runner runner = {0};
	struct write_send_message sends[N_MANY];
	struct write_op *ops[N_MANY];
	int64_t began_ms;

	held_init(&runner.held);
	check_ok(fixture->test, db_open(fixture->test->url, DB_ACCESS_WRITE, &runner.db, NULL));
	for (int i = 0; i < N_MANY; i++) {
		char id[ID_SIZE];

		add_person(fixture->test, arena_printf(&fixture->test->arena, "p%d", i), id);
		make_direct_send(&sends[i], id, id, NULL, "word");
		ops[i] = &sends[i].op;
	}
	check_ok(fixture->test, db_begin(fixture->test->db, DB_WRITE));
	check_ok(fixture->test, db_run_script(fixture->test->db, "LOCK TABLE conversations IN EXCLUSIVE MODE"));
	began_ms = clock_monotonic_ms();
	assert_false(batch_run(&runner, ops, N_MANY));
	print_message("refused after %d ms, %zu were tried\n", (int)(clock_monotonic_ms() - began_ms), runner.held.n);
	assert_in_range(runner.held.n, 1, 5); /* half a second each */
	for (int i = 0; i < N_MANY; i++)
		assert_refused(&sends[i].op, ERR_UNAVAILABLE, "database_unavailable");
	let_go(fixture);
	for (int i = 0; i < N_MANY; i++)
		id_make(sends[i].draft.id);
	WAIT_FOR(batch_run(&runner, ops, N_MANY) && sends[0].op.status == OK && sends[N_MANY - 1].op.status == OK);
	for (int i = 0; i < N_MANY; i++)
		arena_finish(&sends[i].op.arena);
	held_finish(&runner.held);
	db_close(runner.db);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_deadlock_is_run_again),
		CASE(two_writers_in_each_others_way_lose_nothing),
		CASE(a_person_who_is_held_is_held_back_alone),
		CASE(of_two_people_the_one_who_is_held_is_found),
		CASE(behind_a_locked_table_few_are_tried),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
