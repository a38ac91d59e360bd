/* writer/send_message: what sends store and number, and what they refuse; batches run without the thread. */
#include "support/writing.h"

#include "metrics.h"
#include "store/messages.h"

enum { MANY = 100 };

struct fixture {
	struct test_database *test;
	struct batch_runner runner;
	char ada[ID_SIZE], bob[ID_SIZE], eve[ID_SIZE];
	char talk[ID_SIZE]; /* of Ada and Bob */
	struct write_send_message sends[MANY];
	size_t n_sends;
};

static int
set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);

	assert_int_equal(test_database_setup((void **)&fixture->test), 0);
	fixture->runner.db = fixture->test->db;
	add_person(fixture->test, "ada", fixture->ada);
	add_person(fixture->test, "bob", fixture->bob);
	add_person(fixture->test, "eve", fixture->eve);
	id_direct_conversation(fixture->ada, fixture->bob, fixture->talk);
	*state = fixture;
	return 0;
}

static void
forget_sends(struct fixture *fixture)
{
	for (size_t i = 0; i < fixture->n_sends; i++)
		arena_finish(&fixture->sends[i].op.arena);
	fixture->n_sends = 0;
}

static int
tear_down(void **state)
{
	struct fixture *fixture = *state;

	forget_sends(fixture);
	test_database_teardown((void **)&fixture->test);
	free(fixture);
	return 0;
}

static struct write_send_message *
next(struct fixture *fixture)
{
	assert_true(fixture->n_sends < MANY);
	return &fixture->sends[fixture->n_sends++];
}

/* One more send of the batch, from Ada to Bob. */
static struct write_send_message *
say(struct fixture *fixture, const char *id, const char *content)
{
	struct write_send_message *send = next(fixture);

	make_direct_send(send, fixture->ada, fixture->bob, id, content);
	return send;
}

/* Runs all that was made since the last forget_sends as one batch. */
static void
run(struct fixture *fixture)
{
	struct write_op *ops[MANY];

	for (size_t i = 0; i < fixture->n_sends; i++)
		ops[i] = &fixture->sends[i].op;
	batch_run(&fixture->runner, ops, fixture->n_sends);
	assert_false(db_in_transaction(fixture->test->db));
}

static void
assert_counts(struct fixture *fixture, int64_t conversations, int64_t messages)
{
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(*) FROM conversations"), conversations);
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(*) FROM messages"), messages);
}

static void
first_message_makes_the_conversation(void **state)
{
	struct fixture *fixture = *state;
	struct write_send_message *send = say(fixture, NULL, "hello");

	run(fixture);
	assert_stored(send, 1, 2);
	assert_string_equal(send->stored.conversation_id, fixture->talk);
	assert_string_equal(send->stored.sender_id, fixture->ada);
	assert_string_equal(send->stored.recipient_id, fixture->bob);
	assert_true(send->stored.timestamp_ms > 0);
	assert_counts(fixture, 1, 1);
	assert_int_equal(test_database_int64(fixture->test, "SELECT last_rev FROM conversations"), 2);
	assert_int_equal(test_database_int64(fixture->test, "SELECT last_seq FROM conversations"), 1);
	assert_int_equal(test_database_int64(fixture->test, "SELECT sum(last_rev) FROM users"), 2);
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(*) FROM members WHERE rev = 1"), 2);

	forget_sends(fixture); /* the answer goes to the same conversation, which is Ada's to Bob and Bob's to Ada */
	send = next(fixture);
	make_direct_send(send, fixture->bob, fixture->ada, NULL, "hi");
	run(fixture);
	assert_stored(send, 2, 3);
	assert_string_equal(send->stored.conversation_id, fixture->talk);
	assert_string_equal(send->stored.recipient_id, fixture->ada);

	forget_sends(fixture);
	send = next(fixture);
	make_send(send, fixture->bob, fixture->talk, NULL, "by conversation");
	run(fixture);
	assert_stored(send, 3, 4);
	assert_string_equal(send->stored.recipient_id, fixture->ada);
	assert_counts(fixture, 1, 3);
	assert_int_equal(test_database_int64(fixture->test, "SELECT sum(last_rev) FROM users"), 2);
}

static void
a_batch_is_dense_and_in_order(void **state)
{
	struct fixture *fixture = *state;
	int64_t batches = metrics_get(METRIC_WRITER_BATCHES), stored = metrics_get(METRIC_MESSAGES_STORED);
	int64_t seq[2] = {0}, rev[2] = {1, 1};

	for (int i = 0; i < MANY; i++) {
		if (i % 3)
			say(fixture, NULL, "to Bob");
		else
			make_direct_send(next(fixture), fixture->ada, fixture->eve, NULL, "to Eve");
	}
	run(fixture);
	for (int i = 0; i < MANY; i++)
		assert_stored(&fixture->sends[i], ++seq[i % 3 != 0], ++rev[i % 3 != 0]);
	assert_counts(fixture, 2, MANY);
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(*) FROM messages WHERE rev = seq + 1"), MANY);
	assert_int_equal(test_database_int64(fixture->test, "SELECT sum(last_seq) FROM conversations"), MANY);
	assert_int_equal(metrics_get(METRIC_WRITER_BATCHES), batches + 1);
	assert_int_equal(metrics_get(METRIC_MESSAGES_STORED), stored + MANY);
}

static void
an_id_is_one_message_for_ever(void **state)
{
	struct fixture *fixture = *state;
	char id[ID_SIZE];
	struct write_send_message *same, *other, *reply, *stranger, *elsewhere;
	int64_t replayed = metrics_get(METRIC_MESSAGES_REPLAYED);

	id_make(id);
	say(fixture, id, "once");
	run(fixture);
	forget_sends(fixture);

	same = say(fixture, id, "once");
	other = say(fixture, id, "twice");
	other->draft.id_key = "message_id";
	reply = say(fixture, id, "once");
	reply_to(reply, id);
	stranger = next(fixture);
	make_direct_send(stranger, fixture->bob, fixture->ada, id, "once");
	elsewhere = next(fixture);
	make_direct_send(elsewhere, fixture->ada, fixture->eve, id, "once");
	run(fixture);

	assert_int_equal(same->op.status, OK);
	assert_true(same->replayed);
	assert_int_equal(same->stored.seq, 1);
	assert_int_equal(same->stored.rev, 2);
	assert_string_equal(same->stored.content, "once");
	assert_refused(&other->op, ERR_CONFLICT, "id_reused");
	assert_string_equal(other->op.fault.field, "message_id"); /* as its door calls it */
	assert_refused(&reply->op, ERR_CONFLICT, "id_reused");
	assert_refused(&stranger->op, ERR_CONFLICT, "id_reused");
	assert_stored(elsewhere, 1, 2);
	assert_counts(fixture, 2, 2);
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(*) FROM conversations WHERE last_rev = 2"),
			 2);
	assert_int_equal(metrics_get(METRIC_MESSAGES_REPLAYED), replayed + 1);
}

static void
twins_in_one_batch_are_a_message_and_its_replay(void **state)
{
	struct fixture *fixture = *state;
	char id[ID_SIZE], text[] = "once", same_text[] = "once";
	struct write_send_message *first, *same, *other, *after;

	id_make(id);
	first = say(fixture, id, text);
	same = say(fixture, id, same_text);
	other = say(fixture, id, "twice");
	after = say(fixture, NULL, "after");
	run(fixture);
	assert_stored(first, 1, 2);
	assert_int_equal(same->op.status, OK);
	assert_true(same->replayed);
	assert_int_equal(same->stored.seq, 1);
	assert_int_equal(same->stored.rev, 2);
	assert_string_equal(same->stored.content, "once");
	assert_ptr_not_equal(same->stored.content, first->stored.content); /* each outlives the other */
	assert_refused(&other->op, ERR_CONFLICT, "id_reused");
	assert_stored(after, 2, 3);
	assert_counts(fixture, 1, 2);
}

static void
replies_stay_in_their_conversation(void **state)
{
	struct fixture *fixture = *state;
	struct write_send_message *first = say(fixture, NULL, "question"), *in_batch = say(fixture, NULL, "answer");
	struct write_send_message *elsewhere, *nowhere, *itself, *later, *opening;
	char question[ID_SIZE], id[ID_SIZE];

	memcpy(question, first->draft.id, ID_SIZE);
	reply_to(in_batch, question);
	elsewhere = next(fixture);
	make_direct_send(elsewhere, fixture->ada, fixture->eve, NULL, "no");
	reply_to(elsewhere, question);
	run(fixture);
	assert_stored(in_batch, 2, 3);
	assert_string_equal(in_batch->stored.reply_to_id, question);
	assert_refused(&elsewhere->op, ERR_INVALID, "reply_not_found");
	assert_string_equal(elsewhere->op.fault.field, "reply_to_id");
	assert_counts(fixture, 1, 2); /* the refused one made no conversation */

	forget_sends(fixture);
	id_make(id);
	nowhere = say(fixture, NULL, "no");
	reply_to(nowhere, id);
	itself = say(fixture, id, "no");
	reply_to(itself, id);
	later = say(fixture, NULL, "yes");
	reply_to(later, question);
	opening = next(fixture);
	make_direct_send(opening, fixture->eve, fixture->eve, NULL, "yes");
	run(fixture);
	assert_refused(&nowhere->op, ERR_INVALID, "reply_not_found");
	assert_refused(&itself->op, ERR_INVALID, "reply_not_found");
	assert_stored(later, 3, 4);
	assert_stored(opening, 1, 2);
}

static void
only_people_who_are_there_are_written_to(void **state)
{
	struct fixture *fixture = *state;
	struct write_send_message *before = say(fixture, NULL, "before"), *again, *after, *by_conversation, *nobody,
				  *gone;
	char id[ID_SIZE], stranger[ID_SIZE];

	memcpy(id, before->draft.id, ID_SIZE);
	run(fixture);
	forget_sends(fixture);
	test_database_run(fixture->test, "UPDATE users SET disabled_at = 1 WHERE username = 'bob';"
					 "UPDATE users SET deleted_at = 1 WHERE username = 'eve'");
	id_make(stranger);
	again = say(fixture, id, "before");
	after = say(fixture, NULL, "after");
	by_conversation = next(fixture);
	make_send(by_conversation, fixture->ada, fixture->talk, NULL, "into the room");
	nobody = next(fixture);
	make_direct_send(nobody, fixture->ada, stranger, NULL, "no");
	gone = next(fixture);
	make_direct_send(gone, fixture->ada, fixture->eve, NULL, "no");
	run(fixture);
	assert_int_equal(again->op.status, OK); /* acknowledged is acknowledged */
	assert_true(again->replayed);
	assert_refused(&after->op, ERR_NOT_FOUND, "user_not_found");
	assert_string_equal(after->op.fault.field, "recipient_id");
	assert_refused(&by_conversation->op, ERR_NOT_FOUND, "user_not_found"); /* as who is blocked */
	assert_refused(&nobody->op, ERR_NOT_FOUND, "user_not_found");
	assert_refused(&gone->op, ERR_NOT_FOUND, "user_not_found");
	assert_counts(fixture, 1, 1);

	forget_sends(fixture);
	gone = next(fixture);
	make_direct_send(gone, fixture->eve, fixture->ada, NULL, "from the beyond");
	run(fixture);
	assert_refused(&gone->op, ERR_UNAUTHORIZED, "session_ended");
	assert_counts(fixture, 1, 1);
}

static void
strangers_learn_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct write_send_message *stranger[3], *unknown, *member[2];
	char id[ID_SIZE], nowhere[ID_SIZE];

	id_make(id);
	id_make(nowhere);
	say(fixture, id, "secret");
	run(fixture);
	forget_sends(fixture);
	for (int i = 0; i < 3; i++) { /* a member's messages before and between do not let the stranger in */
		if (i < 2) {
			member[i] = next(fixture);
			make_send(member[i], i ? fixture->ada : fixture->bob, fixture->talk, NULL, "mine");
		}
		stranger[i] = next(fixture);
		make_send(stranger[i], fixture->eve, fixture->talk, i ? NULL : id, "secret");
	}
	unknown = next(fixture);
	make_send(unknown, fixture->eve, nowhere, NULL, "secret");
	run(fixture);
	for (int i = 0; i < 3; i++)
		assert_refused(&stranger[i]->op, ERR_NOT_FOUND, "conversation_not_found");
	assert_refused(&unknown->op, ERR_NOT_FOUND, "conversation_not_found");
	assert_stored(member[0], 2, 3);
	assert_string_equal(member[0]->stored.recipient_id, fixture->ada);
	assert_stored(member[1], 3, 4);
	assert_string_equal(member[1]->stored.recipient_id, fixture->bob);
}

static void
refusals_do_not_roll_back(void **state)
{
	struct fixture *fixture = *state;
	int64_t retries = metrics_get(METRIC_WRITER_RETRIES), seq = 0;
	char stranger[ID_SIZE], id[ID_SIZE];

	id_make(stranger);
	id_make(id);
	say(fixture, id, "first");
	for (int i = 0; i < 60; i++) {
		if (i % 4 == 0)
			say(fixture, id, "another");
		else if (i % 4 == 1)
			make_direct_send(next(fixture), fixture->ada, stranger, NULL, "to nobody");
		else
			say(fixture, NULL, "fine");
	}
	run(fixture);
	for (size_t i = 0; i < fixture->n_sends; i++)
		if (fixture->sends[i].op.status == OK) {
			seq++;
			assert_stored(&fixture->sends[i], seq, seq + 1);
		}
	assert_int_equal(seq, 31);
	assert_counts(fixture, 1, 31);
	assert_int_equal(metrics_get(METRIC_WRITER_RETRIES), retries);
}

/* A database that cannot digest one of the messages, and one that ends the whole transaction by itself then. */
static void
a_poisonous_message_harms_only_itself(void **state)
{
	struct fixture *fixture = *state;
	int64_t seq = 0;

	for (int i = 0; i < 2; i++) {
		int64_t retries = metrics_get(METRIC_WRITER_RETRIES);
		struct write_send_message *before, *poison, *after, *elsewhere;

		test_database_poison(fixture->test, i == 1);
		before = say(fixture, NULL, "before");
		poison = say(fixture, NULL, "poison");
		after = say(fixture, NULL, "after");
		elsewhere = next(fixture);
		make_direct_send(elsewhere, fixture->eve, fixture->bob, NULL, "elsewhere");
		run(fixture);
		assert_stored(before, seq + 1, seq + 2);
		assert_refused(&poison->op, ERR_INTERNAL, "internal_error");
		assert_stored(after, seq + 2, seq + 3);
		assert_stored(elsewhere, i + 1, i + 2);
		assert_int_equal(metrics_get(METRIC_WRITER_RETRIES), retries + 1);

		forget_sends(fixture); /* the same message later, when the world has been mended */
		test_database_cure(fixture->test);
		poison = say(fixture, NULL, "poison");
		run(fixture);
		assert_stored(poison, seq + 3, seq + 4);
		forget_sends(fixture);
		seq += 3;
	}
}

static void
nothing_is_written_elsewhere(void **state)
{
	static const struct {
		const char *sql, *code;
	} cases[] = {
		{"UPDATE meta SET value = 'moved' WHERE key = 'state'", "moved"},
		{"UPDATE meta SET value = 'loading' WHERE key = 'state'", "loading"},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int64_t retries = metrics_get(METRIC_WRITER_RETRIES);

		test_database_run(fixture->test, cases[i].sql);
		say(fixture, NULL, "one");
		say(fixture, NULL, "two");
		run(fixture);
		assert_refused(&fixture->sends[0].op, ERR_UNAVAILABLE, cases[i].code);
		assert_refused(&fixture->sends[1].op, ERR_UNAVAILABLE, cases[i].code);
		assert_int_equal(metrics_get(METRIC_WRITER_RETRIES), retries);
		assert_counts(fixture, 0, 0);
		forget_sends(fixture);
	}
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(first_message_makes_the_conversation),
		CASE(a_batch_is_dense_and_in_order),
		CASE(an_id_is_one_message_for_ever),
		CASE(twins_in_one_batch_are_a_message_and_its_replay),
		CASE(replies_stay_in_their_conversation),
		CASE(only_people_who_are_there_are_written_to),
		CASE(strangers_learn_nothing),
		CASE(refusals_do_not_roll_back),
		CASE(a_poisonous_message_harms_only_itself),
		CASE(nothing_is_written_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
