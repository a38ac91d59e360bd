/* writer: the queue and the thread: group commit, the order of the answers, the bounds, the end, and the fault points. */
#include "support/redis_server.h"
#include "support/writing.h"

#include <pthread.h>
#include <stdatomic.h>

#include "metrics.h"

enum { N_THREADS = 4, N_SENDS = 50, N_GATHERED = 30 };

struct fixture {
	struct test_database *test;
	struct writer *writer;
	char ada[ID_SIZE], bob[ID_SIZE];
};

static int
set_up_database(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);

	assert_int_equal(test_database_setup((void **)&fixture->test), 0);
	add_person(fixture->test, "ada", fixture->ada);
	add_person(fixture->test, "bob", fixture->bob);
	*state = fixture;
	return 0;
}

static int
set_up(void **state)
{
	struct fixture *fixture;

	assert_int_equal(set_up_database(state), 0);
	fixture = *state;
	assert_int_equal(writer_create(fixture->test->url, 1, NULL, &fixture->writer, NULL), OK);
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

/* The writer can't begin until open_gate: what is submitted meanwhile gathers, after the first operation, in one batch. */
static void
close_gate(struct fixture *fixture)
{
	check_ok(fixture->test, db_begin(fixture->test->db, DB_WRITE));
	if (fixture->test->schema[0]) /* where writers don't take turns */
		check_ok(fixture->test, db_run_script(fixture->test->db, "LOCK TABLE meta IN ACCESS EXCLUSIVE MODE"));
}

static void
open_gate(struct fixture *fixture)
{
	check_ok(fixture->test, db_commit(fixture->test->db, NULL));
}

static atomic_int n_done;

/* `context` is where the operation writes how many were done before it; only the writer's thread counts. */
static void
count_done(struct write_op *op)
{
	*(int *)op->context = atomic_load(&n_done);
	atomic_fetch_add(&n_done, 1);
}

static void
submit(struct fixture *fixture, struct write_op *op, int *position)
{
	op->done = count_done;
	op->context = position;
	assert_int_equal(writer_submit(fixture->writer, op), OK);
}

static void
what_gathers_is_one_batch_answered_in_order(void **state)
{
	struct fixture *fixture = *state;
	struct write_send_message sends[N_GATHERED + 1];
	int positions[N_GATHERED + 1];
	int64_t batches = metrics_get(METRIC_WRITER_BATCHES), seq[2] = {0};

	atomic_store(&n_done, 0);
	close_gate(fixture);
	for (int i = 0; i <= N_GATHERED; i++) {
		make_direct_send(&sends[i], fixture->ada, i % 2 ? fixture->bob : fixture->ada, NULL, "hello");
		submit(fixture, &sends[i].op, &positions[i]);
		if (i == 0)
			WAIT_FOR(metrics_get(METRIC_WRITER_QUEUE) == 0); /* the writer has taken it, and waits */
	}
	assert_int_equal(atomic_load(&n_done), 0);
	open_gate(fixture);
	WAIT_FOR(atomic_load(&n_done) == N_GATHERED + 1);
	for (int i = 0; i <= N_GATHERED; i++) {
		seq[i % 2]++;
		assert_stored(&sends[i], seq[i % 2], seq[i % 2] + 1);
		assert_int_equal(positions[i], i);
		arena_finish(&sends[i].op.arena);
	}
	assert_int_equal(metrics_get(METRIC_WRITER_BATCHES), batches + 2);
}

struct talker {
	struct fixture *fixture;
	pthread_t thread;
	int64_t seqs[N_SENDS];
	bool in_order;
};

static void *
talk(void *argument)
{
	struct talker *talker = argument;
	int64_t last_seq = 0;

	talker->in_order = true;
	for (int i = 0; i < N_SENDS; i++) {
		struct write_send_message send;

		make_direct_send(&send, talker->fixture->ada, talker->fixture->bob, NULL, "hello");
		if (writer_run(talker->fixture->writer, &send.op) != OK || send.stored.seq <= last_seq)
			talker->in_order = false;
		last_seq = talker->seqs[i] = send.stored.seq;
		arena_finish(&send.op.arena);
	}
	return NULL;
}

static void
threads_share_one_order(void **state)
{
	struct fixture *fixture = *state;
	struct talker talkers[N_THREADS];
	bool seen[N_THREADS * N_SENDS + 1] = {false};

	for (int i = 0; i < N_THREADS; i++) {
		talkers[i].fixture = fixture;
		assert_int_equal(pthread_create(&talkers[i].thread, NULL, talk, &talkers[i]), 0);
	}
	for (int i = 0; i < N_THREADS; i++) {
		pthread_join(talkers[i].thread, NULL);
		assert_true(talkers[i].in_order);
		for (int j = 0; j < N_SENDS; j++) {
			assert_in_range(talkers[i].seqs[j], 1, N_THREADS * N_SENDS);
			assert_false(seen[talkers[i].seqs[j]]);
			seen[talkers[i].seqs[j]] = true;
		}
	}
	assert_int_equal(test_database_int64(fixture->test, "SELECT max(seq) FROM messages"), N_THREADS * N_SENDS);
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(*) FROM messages"), N_THREADS * N_SENDS);
}

static void
a_full_queue_refuses_at_once(void **state)
{
	struct fixture *fixture = *state;
	struct write_session *writes = calloc(WRITER_QUEUE_MAX + 2, sizeof *writes);
	int *positions = calloc(WRITER_QUEUE_MAX + 2, sizeof *positions);
	struct write_op *last = &writes[WRITER_QUEUE_MAX + 1].op;

	atomic_store(&n_done, 0);
	close_gate(fixture);
	for (int i = 0; i <= WRITER_QUEUE_MAX + 1; i++)
		writes[i].op.kind = WRITE_REVOKE_SESSION; /* of no session: changes nothing */
	submit(fixture, &writes[0].op, &positions[0]);
	WAIT_FOR(metrics_get(METRIC_WRITER_QUEUE) == 0);
	for (int i = 1; i <= WRITER_QUEUE_MAX; i++)
		submit(fixture, &writes[i].op, &positions[i]);
	last->done = count_done;
	last->context = &positions[WRITER_QUEUE_MAX + 1];
	check_status(writer_submit(fixture->writer, last), ERR_UNAVAILABLE);
	assert_refused(last, ERR_UNAVAILABLE, "server_busy");
	check_status(writer_run(fixture->writer, last), ERR_UNAVAILABLE);

	open_gate(fixture);
	WAIT_FOR(atomic_load(&n_done) == WRITER_QUEUE_MAX + 1);
	for (int i = 0; i <= WRITER_QUEUE_MAX; i++) {
		assert_int_equal(writes[i].op.status, OK);
		arena_finish(&writes[i].op.arena);
	}
	free(writes);
	free(positions);
}

static void *
destroy(void *writer)
{
	writer_destroy(writer);
	return NULL;
}

static void
the_end_answers_all(void **state)
{
	struct fixture *fixture = *state;
	struct write_send_message sends[N_GATHERED];
	int positions[N_GATHERED];
	pthread_t thread;

	atomic_store(&n_done, 0);
	close_gate(fixture);
	for (int i = 0; i < N_GATHERED; i++) {
		make_direct_send(&sends[i], fixture->ada, fixture->bob, NULL, "last words");
		submit(fixture, &sends[i].op, &positions[i]);
	}
	assert_int_equal(pthread_create(&thread, NULL, destroy, fixture->writer), 0);
	open_gate(fixture);
	pthread_join(thread, NULL);
	fixture->writer = NULL;
	assert_int_equal(atomic_load(&n_done), N_GATHERED);
	for (int i = 0; i < N_GATHERED; i++) {
		assert_stored(&sends[i], i + 1, i + 2);
		arena_finish(&sends[i].op.arena);
	}
	writer_destroy(NULL);
}

/* A long queue must not wait for the database batch after batch. */
static void
what_waits_behind_a_locked_database_is_refused_with_the_rest(void **state)
{
	struct fixture *fixture = *state;
	struct write_send_message sends[2];
	int positions[2];
	int64_t tried = metrics_get(METRIC_WRITER_OPS);

	atomic_store(&n_done, 0);
	close_gate(fixture);
	for (int i = 0; i < 2; i++) {
		make_direct_send(&sends[i], fixture->ada, fixture->bob, NULL, "hello?");
		submit(fixture, &sends[i].op, &positions[i]);
		if (i == 0)
			WAIT_FOR(metrics_get(METRIC_WRITER_QUEUE) == 0); /* it is being tried */
	}
	WAIT_FOR(atomic_load(&n_done) == 2);
	open_gate(fixture);
	for (int i = 0; i < 2; i++) {
		assert_refused(&sends[i].op, ERR_UNAVAILABLE, "database_unavailable");
		arena_finish(&sends[i].op.arena);
	}
	assert_int_equal(metrics_get(METRIC_WRITER_OPS), tried + 1);
}

enum { N_ROOMS = 24, N_A_ROOM = 10 };

/* Everybody writes to everybody, so that threads meet at people's rows, and the first messages make the conversations. */
static void
several_threads_keep_the_order_of_each_conversation(void **state)
{
	struct fixture *fixture = *state;
	struct write_send_message *sends = calloc((size_t)N_ROOMS * N_A_ROOM, sizeof *sends);
	char people[N_ROOMS][ID_SIZE];
	int positions[N_ROOMS * N_A_ROOM];

	assert_non_null(sends);
	for (int i = 0; i < N_ROOMS; i++)
		add_person(fixture->test, arena_printf(&fixture->test->arena, "p%d", i), people[i]);
	assert_int_equal(writer_create(fixture->test->url, 4, NULL, &fixture->writer, NULL), OK);
	atomic_store(&n_done, 0);
	for (int i = 0; i < N_ROOMS * N_A_ROOM; i++) {
		const char *one = people[i % N_ROOMS], *other = people[(i + 1) % N_ROOMS];
		bool back = (i / N_ROOMS) % 2;

		make_direct_send(&sends[i], back ? other : one, back ? one : other, NULL, "hello");
		submit(fixture, &sends[i].op, &positions[i]);
	}
	WAIT_FOR(atomic_load(&n_done) == N_ROOMS * N_A_ROOM);
	for (int i = 0; i < N_ROOMS * N_A_ROOM; i++) {
		assert_stored(&sends[i], i / N_ROOMS + 1, i / N_ROOMS + 2);
		arena_finish(&sends[i].op.arena);
	}
	assert_int_equal(test_database_int64(fixture->test, "SELECT sum(last_rev) FROM users"), 2 * N_ROOMS);
	free(sends);
}

static void
a_database_that_is_not_there(void **state)
{
	struct writer *writer = NULL;
	struct fault fault = {0};

	(void)state;
	check_status(writer_create("sqlite:/nowhere/at/all.db", 1, NULL, &writer, &fault), ERR_UNAVAILABLE);
	assert_null(writer);
	assert_true(fault.detail[0] != '\0');
}

#ifdef STONECHAT_FAULTS
/* In a child, because SQLite's handles and threads must not cross a fork: sends one message and tells how it ended. */
static int
send_in_child(struct fixture *fixture, const char *fault_point, const char *redis_url)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		struct writer *writer;
		struct bus *bus = NULL;
		struct write_send_message send;

		setenv("STONECHAT_FAULT_WRITER", fault_point, 1);
		if (redis_url && bus_create(redis_url, &bus, NULL) != OK)
			_exit(2);
		if (writer_create(fixture->test->url, 1, bus, &writer, NULL) != OK)
			_exit(3);
		make_direct_send(&send, fixture->ada, fixture->bob, NULL, "hello");
		status = writer_run(writer, &send.op) == OK ? 0 : 4;
		writer_destroy(writer);
		bus_destroy(bus);
		_exit(status);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
a_process_may_die_after_the_commit(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(send_in_child(fixture, "exit_after_commit", NULL), 42);
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(*) FROM messages"), 1);
}

static void
records_may_be_lost(void **state)
{
	struct fixture *fixture = *state;
	struct redis_server server;
	struct redis_subscriber subscriber;
	char channel[EVENT_CHANNEL_SIZE] = "c:", first[EVENT_CHANNEL_SIZE];
	size_t len;

	redis_server_init(&server);
	redis_server_start(&server);
	redis_subscriber_init(&subscriber, &server);
	id_direct_conversation(fixture->ada, fixture->bob, channel + 2);
	redis_subscriber_add(&subscriber, channel, 1);
	assert_int_equal(send_in_child(fixture, "skip_publish", server.url), 0);
	assert_int_equal(send_in_child(fixture, "none", server.url), 0);
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(*) FROM messages"), 2);

	char *bytes = redis_subscriber_next(&subscriber, first, sizeof first, &len);
	assert_non_null(strstr(bytes, " 3 message.created ")); /* of the second child; what the first said is lost */
	free(bytes);
	assert_true(redis_subscriber_is_empty(&subscriber));
	redis_subscriber_finish(&subscriber);
	redis_server_finish(&server);
}
#endif

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define CASE_WITHOUT_WRITER(name) cmocka_unit_test_setup_teardown(name, set_up_database, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef STONECHAT_FAULTS /* first: no thread has been started yet */
		CASE_WITHOUT_WRITER(a_process_may_die_after_the_commit),
		CASE_WITHOUT_WRITER(records_may_be_lost),
#endif
		CASE(what_gathers_is_one_batch_answered_in_order),
		CASE(threads_share_one_order),
		CASE(a_full_queue_refuses_at_once),
		CASE(the_end_answers_all),
		CASE(what_waits_behind_a_locked_database_is_refused_with_the_rest),
		CASE(a_database_that_is_not_there),
		CASE_WITHOUT_WRITER(several_threads_keep_the_order_of_each_conversation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
