/* writer/mark_read: the read cursor of a person only grows, and each move is one change of their stream. */
#include "support/redis_server.h"
#include "support/writing.h"

#include "json.h"
#include "store/conversations.h"

struct fixture {
	struct test_database *test;
	struct batch_runner runner;
	char ada[ID_SIZE], bob[ID_SIZE], eve[ID_SIZE];
	char talk[ID_SIZE]; /* of Ada and Bob, with three messages of Ada's */
	struct write_mark_read write;
};

static void
run_one(struct fixture *fixture, struct write_op *op)
{
	batch_run(&fixture->runner, &op, 1);
	assert_false(db_in_transaction(fixture->test->db));
}

static int
set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	struct write_send_message send;

	assert_int_equal(test_database_setup((void **)&fixture->test), 0);
	fixture->runner.db = fixture->test->db;
	add_person(fixture->test, "ada", fixture->ada);
	add_person(fixture->test, "bob", fixture->bob);
	add_person(fixture->test, "eve", fixture->eve);
	id_direct_conversation(fixture->ada, fixture->bob, fixture->talk);
	for (int i = 0; i < 3; i++) {
		make_direct_send(&send, fixture->ada, fixture->bob, NULL, "word");
		run_one(fixture, &send.op);
		assert_int_equal(send.op.status, OK);
		arena_finish(&send.op.arena);
	}
	*state = fixture;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *fixture = *state;

	arena_finish(&fixture->write.op.arena);
	test_database_teardown((void **)&fixture->test);
	free(fixture);
	return 0;
}

static void
prepare(struct fixture *fixture, struct write_mark_read *ret_write, const char *user_id, int64_t seq)
{
	*ret_write = (struct write_mark_read){.op.kind = WRITE_MARK_READ, .seq = seq};
	memcpy(ret_write->conversation_id, fixture->talk, ID_SIZE);
	memcpy(ret_write->user_id, user_id, ID_SIZE);
	ret_write->op.conversation_id = ret_write->conversation_id;
}

static const struct write_mark_read *
mark(struct fixture *fixture, const char *user_id, int64_t seq)
{
	arena_finish(&fixture->write.op.arena);
	prepare(fixture, &fixture->write, user_id, seq);
	run_one(fixture, &fixture->write.op);
	return &fixture->write;
}

static void
assert_marked(const struct write_mark_read *write, int64_t read_seq, int64_t user_rev, bool unchanged)
{
	assert_int_equal(write->op.status, OK);
	assert_int_equal(write->membership.read_seq, read_seq);
	assert_int_equal(write->membership.user_rev, user_rev);
	assert_int_equal(write->membership.member_rev, 1);
	assert_int_equal(write->membership.head, 4);
	assert_string_equal(write->membership.conversation_id, write->conversation_id);
	assert_int_equal(write->unchanged, unchanged);
}

static int64_t
head_of(struct fixture *fixture, const char *sql)
{
	return test_database_int64(fixture->test, sql);
}

static void
the_cursor_only_grows(void **state)
{
	struct fixture *fixture = *state;

	assert_marked(mark(fixture, fixture->bob, 0), 0, 1, true);
	assert_marked(mark(fixture, fixture->bob, 2), 2, 2, false);
	assert_marked(mark(fixture, fixture->bob, 2), 2, 2, true);
	assert_marked(mark(fixture, fixture->bob, 1), 2, 2, true);
	assert_marked(mark(fixture, fixture->bob, 3), 3, 3, false);
	assert_int_equal(head_of(fixture, "SELECT last_rev FROM users WHERE username = 'bob'"), 3);
	assert_int_equal(head_of(fixture, "SELECT last_rev FROM users WHERE username = 'ada'"), 1);
	assert_int_equal(head_of(fixture, "SELECT last_rev FROM conversations"), 4); /* nobody else's business */
}

static void
what_is_not_there_is_not_read(void **state)
{
	struct fixture *fixture = *state;

	assert_refused(&mark(fixture, fixture->bob, 4)->op, ERR_INVALID, "out_of_range");
	assert_string_equal(fixture->write.op.fault.field, "seq");
	assert_refused(&mark(fixture, fixture->bob, -1)->op, ERR_INVALID, "out_of_range");
	assert_refused(&mark(fixture, fixture->eve, 1)->op, ERR_NOT_FOUND, "conversation_not_found");
	assert_int_equal(head_of(fixture, "SELECT max(read_seq) FROM members"), 0);
	assert_int_equal(head_of(fixture, "SELECT last_rev FROM users WHERE username = 'bob'"), 1);
}

static void
an_ended_session_marks_nothing(void **state)
{
	struct fixture *fixture = *state;

	prepare(fixture, &fixture->write, fixture->bob, 2);
	id_make(fixture->write.session_id); /* no such log-in */
	run_one(fixture, &fixture->write.op);
	assert_refused(&fixture->write.op, ERR_UNAUTHORIZED, "session_ended");
	assert_int_equal(head_of(fixture, "SELECT max(read_seq) FROM members"), 0);
}

/* In one batch: each of them sees what the one before has done. */
static void
cursors_of_one_batch_follow_one_another(void **state)
{
	static const int64_t seqs[] = {1, 3, 2, 3};
	enum { N = sizeof seqs / sizeof seqs[0] };
	struct fixture *fixture = *state;
	struct write_mark_read writes[N];
	struct write_op *ops[N];

	for (size_t i = 0; i < N; i++) {
		prepare(fixture, &writes[i], fixture->bob, seqs[i]);
		ops[i] = &writes[i].op;
	}
	batch_run(&fixture->runner, ops, N);
	assert_marked(&writes[0], 1, 2, false);
	assert_marked(&writes[1], 3, 3, false);
	assert_marked(&writes[2], 3, 3, true);
	assert_marked(&writes[3], 3, 3, true);
	for (size_t i = 0; i < N; i++)
		arena_finish(&writes[i].op.arena);
}

/* So that they don't part the sends, which are one step: a cursor may name what is sent after it. */
static void
cursors_come_after_what_is_sent(void **state)
{
	struct fixture *fixture = *state;
	struct write_mark_read write;
	struct write_send_message send;
	struct write_op *ops[] = {&write.op, &send.op};

	prepare(fixture, &write, fixture->bob, 4);
	make_direct_send(&send, fixture->ada, fixture->bob, NULL, "word");
	batch_run(&fixture->runner, ops, 2);
	assert_int_equal(send.stored.seq, 4);
	assert_int_equal(write.op.status, OK);
	assert_int_equal(write.membership.read_seq, 4);
	arena_finish(&write.op.arena);
	arena_finish(&send.op.arena);
}

/* The person's other devices hear of a move, and of nothing when there was none. */
static void
a_move_is_told_once(void **state)
{
	struct fixture *fixture = *state;
	struct redis_server server;
	struct redis_subscriber subscriber;
	char channel[EVENT_CHANNEL_SIZE], epoch[EVENT_EPOCH_SIZE];
	struct event event;
	size_t len;

	redis_server_init(&server);
	redis_server_start(&server);
	redis_subscriber_init(&subscriber, &server);
	snprintf(channel, sizeof channel, "u:%s", fixture->bob);
	redis_subscriber_add(&subscriber, channel, 1);
	assert_int_equal(bus_create(server.url, &fixture->runner.bus, NULL), OK);
	mark(fixture, fixture->bob, 1);
	mark(fixture, fixture->bob, 1);
	mark(fixture, fixture->bob, 3);
	for (int i = 0; i < 2; i++) {
		char *bytes = redis_subscriber_next(&subscriber, channel, sizeof channel, &len);

		assert_int_equal(event_decode(channel, bytes, len, epoch, &event), OK);
		assert_string_equal(event.kind, "read.updated");
		assert_string_equal(event.conversation_id, fixture->talk);
		assert_string_equal(event.subject_id, "");
		assert_int_equal(event.rev, 2 + i);
		assert_int_equal(event.member_rev, 1);

		CLEANUP_JSON json_t *json = json_loadb(event.json, event.json_len, 0, NULL);
		assert_int_equal(json_integer_value(json_object_get(json, "seq")), i == 0 ? 1 : 3);
		assert_int_equal(json_integer_value(json_object_get(json, "me")), 2 + i);
		assert_string_equal(json_string_value(json_object_get(json, "user_id")), fixture->bob);
		free(bytes);
	}
	bus_destroy(fixture->runner.bus);
	redis_subscriber_finish(&subscriber);
	redis_server_finish(&server);
}

static void
what_is_delivered_changes_nobodys_stream(void **state)
{
	struct fixture *fixture = *state;
	struct write_mark_read write;

	prepare(fixture, &write, fixture->bob, 0);
	write.delivered_seq = 2;
	run_one(fixture, &write.op);
	assert_marked(&write, 0, 1, true);
	assert_int_equal(write.membership.delivered_seq, 2);
	arena_finish(&write.op.arena);
	assert_int_equal(mark(fixture, fixture->bob, 1)->membership.delivered_seq, 2);
	assert_int_equal(mark(fixture, fixture->bob, 3)->membership.delivered_seq, 3); /* what is read was delivered */
	assert_int_equal(head_of(fixture, "SELECT max(delivered_seq) FROM members WHERE read_seq = 3"), 3);
	prepare(fixture, &write, fixture->bob, 0);
	write.delivered_seq = 4;
	run_one(fixture, &write.op);
	assert_refused(&write.op, ERR_INVALID, "out_of_range");
	assert_int_equal(write.membership.last_seq, 3);
	arena_finish(&write.op.arena);
}

static void
assert_passing(struct redis_subscriber *subscriber, const char *kind, const char *user_id, int64_t seq)
{
	char channel[EVENT_CHANNEL_SIZE], epoch[EVENT_EPOCH_SIZE];
	struct event event;
	size_t len;
	char *bytes = redis_subscriber_next(subscriber, channel, sizeof channel, &len);
	json_t *json CLEANUP_JSON = NULL;

	assert_int_equal(event_decode(channel, bytes, len, epoch, &event), OK);
	assert_string_equal(event.kind, kind);
	assert_string_equal(event.subject_id, user_id);
	assert_int_equal(event.rev, EVENT_REV_NONE);
	json = json_loadb(event.json, event.json_len, 0, NULL);
	assert_int_equal(json_integer_value(json_object_get(json, "seq")), seq);
	free(bytes);
}

/* Above the cap nothing is told, and no delivered cursor is kept. */
static void
the_others_hear_of_cursors_in_what_is_not_large(void **state)
{
	struct fixture *fixture = *state;
	struct redis_server server;
	struct redis_subscriber subscriber;
	char channel[EVENT_CHANNEL_SIZE];
	struct write_mark_read write;

	redis_server_init(&server);
	redis_server_start(&server);
	redis_subscriber_init(&subscriber, &server);
	snprintf(channel, sizeof channel, "c:%s", fixture->talk);
	redis_subscriber_add(&subscriber, channel, 1);
	assert_int_equal(bus_create(server.url, &fixture->runner.bus, NULL), OK);
	prepare(fixture, &write, fixture->bob, 0);
	write.delivered_seq = 1;
	run_one(fixture, &write.op);
	arena_finish(&write.op.arena);
	assert_passing(&subscriber, "delivered.updated", fixture->bob, 1);
	test_database_run(fixture->test, "UPDATE conversations SET member_count = 251");
	mark(fixture, fixture->bob, 1);
	write.delivered_seq = 2;
	run_one(fixture, &write.op);
	arena_finish(&write.op.arena);
	assert_int_equal(write.membership.delivered_seq, 1);
	test_database_run(fixture->test, "UPDATE conversations SET member_count = 250");
	mark(fixture, fixture->bob, 2);
	assert_passing(&subscriber, "read.updated", fixture->bob, 2); /* nothing came before it */
	bus_destroy(fixture->runner.bus);
	redis_subscriber_finish(&subscriber);
	redis_server_finish(&server);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_cursor_only_grows),
		CASE(what_is_not_there_is_not_read),
		CASE(an_ended_session_marks_nothing),
		CASE(cursors_of_one_batch_follow_one_another),
		CASE(cursors_come_after_what_is_sent),
		CASE(a_move_is_told_once),
		CASE(what_is_delivered_changes_nobodys_stream),
		CASE(the_others_hear_of_cursors_in_what_is_not_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
