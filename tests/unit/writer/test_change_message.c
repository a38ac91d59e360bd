/* writer/change_message: what edits, deletions and reactions do, that each may be repeated, who may, and what forbids them;
 * batches run without the thread. */
#include "support/writing.h"

#include "metrics.h"
#include "store/messages.h"
#include "store/sessions.h"

#define WAVE "\xf0\x9f\x91\x8b"
#define HEART "\xe2\x9d\xa4\xef\xb8\x8f"

struct fixture {
	struct test_database *test;
	struct batch_runner runner;
	char ada[ID_SIZE], bob[ID_SIZE], eve[ID_SIZE];
	char talk[ID_SIZE]; /* of Ada and Bob */
	char word[ID_SIZE]; /* Ada's message in it: seq 1, rev 2 */
	struct write_change_message write;
};

static void
run(struct fixture *fixture, struct write_op **ops, size_t n_ops)
{
	batch_run(&fixture->runner, ops, n_ops);
	assert_false(db_in_transaction(fixture->test->db));
}

static void
run_one(struct fixture *fixture, struct write_op *op)
{
	run(fixture, &op, 1);
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
	make_direct_send(&send, fixture->ada, fixture->bob, NULL, "helo");
	run_one(fixture, &send.op);
	assert_stored(&send, 1, 2);
	memcpy(fixture->talk, send.stored.conversation_id, ID_SIZE);
	memcpy(fixture->word, send.stored.id, ID_SIZE);
	arena_finish(&send.op.arena);
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

/* The result stays until the next one. `text` is the content or the emoji. */
static struct write_change_message *
prepare(struct fixture *fixture, enum message_action action, const char *actor_id, const char *text)
{
	struct write_change_message *write = &fixture->write;

	arena_finish(&write->op.arena);
	make_change(write, action, actor_id, fixture->talk, fixture->word);
	write->change.content = action == MESSAGE_EDIT ? text : NULL;
	write->change.emoji = action == MESSAGE_REACT || action == MESSAGE_UNREACT ? text : NULL;
	return write;
}

static struct write_change_message *
change(struct fixture *fixture, enum message_action action, const char *actor_id, const char *text)
{
	struct write_change_message *write = prepare(fixture, action, actor_id, text);

	run_one(fixture, &write->op);
	return write;
}

/* What the database says of the word. */
static struct message
read_word(struct fixture *fixture)
{
	struct message row;

	check_ok(fixture->test,
		 messages_get(fixture->test->db, &fixture->test->arena, fixture->talk, fixture->word, &row));
	return row;
}

static int64_t
head(struct fixture *fixture)
{
	return test_database_int64(fixture->test, "SELECT last_rev FROM conversations");
}

/* The change was made with this rev, and the row is what the answer says. */
static void
assert_changed(struct fixture *fixture, const struct write_change_message *write, int64_t rev)
{
	struct message row = read_word(fixture);

	if (write->op.status != OK)
		fail_msg("%s: %s", status_name(write->op.status), write->op.fault.code);
	assert_false(write->unchanged);
	assert_int_equal(write->stored.rev, rev);
	assert_int_equal(head(fixture), rev);
	assert_int_equal(row.rev, rev);
	assert_int_equal(row.seq, 1);
	assert_int_equal(row.edited_at_ms, write->stored.edited_at_ms);
	assert_int_equal(row.deleted_at_ms, write->stored.deleted_at_ms);
	assert_int_equal(row.n_reactions, write->stored.n_reactions);
	assert_true(!row.content == !write->stored.content);
	if (row.content)
		assert_string_equal(row.content, write->stored.content);
}

/* It was so already at this rev. */
static void
assert_unchanged(struct fixture *fixture, const struct write_change_message *write, int64_t rev)
{
	if (write->op.status != OK)
		fail_msg("%s: %s", status_name(write->op.status), write->op.fault.code);
	assert_true(write->unchanged);
	assert_int_equal(write->stored.rev, rev);
	assert_int_equal(head(fixture), rev);
}

static void
an_edit_keeps_all_but_the_words(void **state)
{
	struct fixture *fixture = *state;
	struct message before = read_word(fixture), after;
	int64_t changed = metrics_get(METRIC_MESSAGES_CHANGED);

	assert_changed(fixture, change(fixture, MESSAGE_EDIT, fixture->ada, "hello"), 3);
	after = read_word(fixture);
	assert_string_equal(after.content, "hello");
	assert_true(after.edited_at_ms >= before.timestamp_ms);
	assert_int_equal(after.timestamp_ms, before.timestamp_ms);
	assert_string_equal(after.digest, before.digest);
	assert_string_equal(after.sender_id, fixture->ada);
	assert_int_equal(test_database_int64(fixture->test, "SELECT last_seq FROM conversations"), 1);
	assert_int_equal(metrics_get(METRIC_MESSAGES_CHANGED), changed + 1);

	assert_unchanged(fixture, change(fixture, MESSAGE_EDIT, fixture->ada, "hello"), 3);
	assert_int_equal(metrics_get(METRIC_MESSAGES_CHANGED), changed + 1);
	assert_changed(fixture, change(fixture, MESSAGE_EDIT, fixture->ada, "helo"), 4);
}

static void
a_deleted_message_keeps_its_place(void **state)
{
	struct fixture *fixture = *state;

	change(fixture, MESSAGE_REACT, fixture->bob, WAVE);
	change(fixture, MESSAGE_EDIT, fixture->ada, "hello");
	assert_changed(fixture, change(fixture, MESSAGE_DELETE, fixture->ada, NULL), 5);
	assert_null(read_word(fixture).content);
	assert_true(read_word(fixture).deleted_at_ms > 0);
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(*) FROM reactions"), 0);
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(*) FROM messages WHERE content IS NOT NULL"),
			 0);

	assert_unchanged(fixture, change(fixture, MESSAGE_DELETE, fixture->ada, NULL), 5);
	assert_unchanged(fixture, change(fixture, MESSAGE_UNREACT, fixture->bob, WAVE), 5);
	assert_refused(&change(fixture, MESSAGE_EDIT, fixture->ada, "hello")->op, ERR_CONFLICT, "message_deleted");
	assert_refused(&change(fixture, MESSAGE_REACT, fixture->bob, WAVE)->op, ERR_CONFLICT, "message_deleted");
	assert_int_equal(head(fixture), 5);
}

static void
a_reaction_is_once_a_person_and_emoji(void **state)
{
	struct fixture *fixture = *state;
	struct write_change_message *write;

	assert_changed(fixture, change(fixture, MESSAGE_REACT, fixture->bob, WAVE), 3);
	assert_unchanged(fixture, change(fixture, MESSAGE_REACT, fixture->bob, WAVE), 3);
	assert_changed(fixture, change(fixture, MESSAGE_REACT, fixture->ada, HEART), 4);
	write = change(fixture, MESSAGE_REACT, fixture->ada, WAVE);
	assert_changed(fixture, write, 5);
	assert_int_equal(write->stored.n_reactions, 2);
	assert_unchanged(fixture, change(fixture, MESSAGE_UNREACT, fixture->bob, HEART), 5); /* Ada's stays */
	write = change(fixture, MESSAGE_UNREACT, fixture->bob, WAVE);
	assert_changed(fixture, write, 6);
	for (size_t i = 0; i < write->stored.n_reactions; i++) {
		assert_int_equal(write->stored.reactions[i].count, 1);
		assert_string_equal(write->stored.reactions[i].user_ids[0], fixture->ada);
	}
	assert_unchanged(fixture, change(fixture, MESSAGE_UNREACT, fixture->bob, WAVE), 6);
	assert_int_equal(read_word(fixture).edited_at_ms, 0);
}

static void
twenty_different_reactions_are_enough(void **state)
{
	struct fixture *fixture = *state;
	char emoji[] = "\xf0\x9f\x98\x80"; /* U+1F600 and after it */

	for (int i = 0; i < REACTION_EMOJI_MAX; i++, emoji[3]++)
		assert_changed(fixture, change(fixture, MESSAGE_REACT, fixture->bob, emoji), 3 + i);
	assert_refused(&change(fixture, MESSAGE_REACT, fixture->bob, emoji)->op, ERR_INVALID, "too_many_reactions");
	emoji[3]--;
	assert_unchanged(fixture, change(fixture, MESSAGE_REACT, fixture->bob, emoji), 22);
	assert_changed(fixture, change(fixture, MESSAGE_REACT, fixture->ada, emoji), 23); /* one of the twenty */
	change(fixture, MESSAGE_UNREACT, fixture->ada, emoji);
	change(fixture, MESSAGE_UNREACT, fixture->bob, emoji);
	assert_changed(fixture, change(fixture, MESSAGE_REACT, fixture->ada, WAVE), 26); /* there is room again */
}

/* Not even what is already so: a stranger learns nothing from the answer. */
static void
only_who_may_is_answered(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		enum message_action action;
		const char *text;
	} cases[] = {
		{MESSAGE_EDIT, "helo"},
		{MESSAGE_EDIT, "hello"},
		{MESSAGE_DELETE, NULL},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_refused(&change(fixture, cases[i].action, fixture->bob, cases[i].text)->op, ERR_FORBIDDEN,
			       "not_sender");
		assert_refused(&change(fixture, cases[i].action, fixture->eve, cases[i].text)->op, ERR_NOT_FOUND,
			       "conversation_not_found");
	}
	assert_refused(&change(fixture, MESSAGE_UNREACT, fixture->eve, WAVE)->op, ERR_NOT_FOUND,
		       "conversation_not_found");
	change(fixture, MESSAGE_DELETE, fixture->ada, NULL);
	assert_refused(&change(fixture, MESSAGE_DELETE, fixture->bob, NULL)->op, ERR_FORBIDDEN, "not_sender");
	assert_int_equal(head(fixture), 3);
}

static void
a_message_is_one_of_its_conversation(void **state)
{
	struct fixture *fixture = *state;
	struct write_send_message note;
	struct write_change_message write;

	make_direct_send(&note, fixture->ada, fixture->ada, NULL, "note to self");
	run_one(fixture, &note.op);
	make_change(&write, MESSAGE_DELETE, fixture->ada, note.stored.conversation_id, fixture->word);
	run_one(fixture, &write.op);
	assert_refused(&write.op, ERR_NOT_FOUND, "message_not_found");
	arena_finish(&write.op.arena);
	arena_finish(&note.op.arena);

	test_database_run(fixture->test, "UPDATE members SET left_at = 1");
	assert_refused(&change(fixture, MESSAGE_EDIT, fixture->ada, "hello")->op, ERR_NOT_FOUND,
		       "conversation_not_found");
}

static struct write_change_message *
change_if(struct fixture *fixture, int64_t rev, enum message_action action, const char *text)
{
	struct write_change_message *write = prepare(fixture, action, fixture->ada, text);

	write->change.if_match_rev = rev;
	run_one(fixture, &write->op);
	return write;
}

static void
a_condition_is_looked_at_after_what_is_done_already(void **state)
{
	struct fixture *fixture = *state;

	assert_refused(&change_if(fixture, 1, MESSAGE_EDIT, "hello")->op, ERR_PRECONDITION, "precondition_failed");
	assert_refused(&change_if(fixture, -1, MESSAGE_DELETE, NULL)->op, ERR_PRECONDITION, "precondition_failed");
	assert_changed(fixture, change_if(fixture, 2, MESSAGE_EDIT, "hello"), 3);
	assert_unchanged(fixture, change_if(fixture, 2, MESSAGE_EDIT, "hello"), 3);
	assert_refused(&change_if(fixture, 2, MESSAGE_DELETE, NULL)->op, ERR_PRECONDITION, "precondition_failed");
	assert_changed(fixture, change_if(fixture, 3, MESSAGE_DELETE, NULL), 4);
	assert_unchanged(fixture, change_if(fixture, 3, MESSAGE_DELETE, NULL), 4);
}

static void
add_session(struct fixture *fixture, char ret_id[ID_SIZE])
{
	struct login_session session = {
		.created_at_ms = clock_wall_ms(),
		.last_used_at_ms = clock_wall_ms(),
		.expires_at_ms = clock_wall_ms() + 60000,
	};

	id_make(session.id);
	memcpy(session.user_id, fixture->ada, ID_SIZE);
	snprintf(session.family_hash, sizeof session.family_hash, "%s", session.id);
	check_ok(fixture->test, db_begin(fixture->test->db, DB_WRITE));
	check_ok(fixture->test, sessions_insert(fixture->test->db, &session));
	check_ok(fixture->test, db_commit(fixture->test->db, NULL));
	memcpy(ret_id, session.id, ID_SIZE);
}

/* Also behind another log-in's change in the same batch, and for what is so already. */
static void
a_log_in_that_has_ended_changes_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct write_change_message writes[3];
	struct write_op *ops[3];
	char live[ID_SIZE], ended[ID_SIZE];

	add_session(fixture, live);
	add_session(fixture, ended);
	test_database_run(fixture->test, arena_printf(&fixture->test->arena,
						      "UPDATE sessions SET revoked_at = 1 WHERE id = '%s'", ended));
	for (int i = 0; i < 3; i++) {
		make_change(&writes[i], MESSAGE_EDIT, fixture->ada, fixture->talk, fixture->word);
		writes[i].change.content = "hello";
		memcpy(writes[i].change.session_id, i == 1 ? ended : live, ID_SIZE);
		ops[i] = &writes[i].op;
	}
	run(fixture, ops, 3);
	assert_int_equal(writes[0].stored.rev, 3);
	assert_false(writes[0].unchanged);
	assert_refused(&writes[1].op, ERR_UNAUTHORIZED, "session_ended");
	assert_unchanged(fixture, &writes[2], 3);
	for (int i = 0; i < 3; i++)
		arena_finish(&writes[i].op.arena);
}

/* Sends, their changes and their replays in one batch run in the order in which they came, next to another conversation's. */
struct mix {
	struct write_send_message first, note, second, again;
	struct write_change_message edit, react, remove;
	struct write_op *ops[7];
};

static void
make_mix(struct fixture *fixture, struct mix *mix, const char *second)
{
	make_direct_send(&mix->first, fixture->bob, fixture->ada, NULL, "one");
	make_direct_send(&mix->note, fixture->ada, fixture->ada, NULL, "note");
	make_change(&mix->edit, MESSAGE_EDIT, fixture->bob, fixture->talk, mix->first.draft.id);
	mix->edit.change.content = "one, edited";
	make_change(&mix->react, MESSAGE_REACT, fixture->ada, fixture->talk, mix->first.draft.id);
	mix->react.change.emoji = WAVE;
	make_direct_send(&mix->second, fixture->ada, fixture->bob, NULL, second);
	reply_to(&mix->second, mix->first.draft.id);
	make_direct_send(&mix->again, fixture->bob, fixture->ada, mix->first.draft.id, "one");
	make_change(&mix->remove, MESSAGE_DELETE, fixture->bob, fixture->talk, mix->first.draft.id);

	struct write_op *ops[] = {&mix->first.op,  &mix->note.op,  &mix->edit.op,  &mix->react.op,
				  &mix->second.op, &mix->again.op, &mix->remove.op};
	memcpy(mix->ops, ops, sizeof ops);
}

static void
finish_mix(struct mix *mix)
{
	arena_finish(&mix->first.op.arena);
	arena_finish(&mix->note.op.arena);
	arena_finish(&mix->edit.op.arena);
	arena_finish(&mix->react.op.arena);
	arena_finish(&mix->second.op.arena);
	arena_finish(&mix->again.op.arena);
	arena_finish(&mix->remove.op.arena);
}

/* All but the second message, which shifts what comes after it by `shift`. */
static void
assert_mixed(struct fixture *fixture, const struct mix *mix, int64_t shift)
{
	assert_stored(&mix->first, 2, 3);
	assert_stored(&mix->note, 1, 2);
	assert_int_equal(mix->edit.op.status, OK);
	assert_int_equal(mix->edit.stored.rev, 4);
	assert_string_equal(mix->edit.stored.content, "one, edited");
	assert_int_equal(mix->react.op.status, OK);
	assert_int_equal(mix->react.stored.rev, 5);
	assert_int_equal(mix->react.stored.n_reactions, 1);
	assert_int_equal(mix->again.op.status, OK);
	assert_true(mix->again.replayed);
	assert_int_equal(mix->again.stored.rev, 5);
	assert_string_equal(mix->again.stored.content, "one, edited");
	assert_int_equal(mix->again.stored.n_reactions, 1);
	assert_string_equal(mix->again.stored.reactions[0].emoji, WAVE);
	assert_int_equal(mix->remove.op.status, OK);
	assert_int_equal(mix->remove.stored.rev, 6 + shift);
	assert_int_equal(mix->remove.stored.n_reactions, 0);
	assert_int_equal(test_database_int64(fixture->test,
					     "SELECT max(rev) FROM messages WHERE deleted_at IS NOT NULL"),
			 6 + shift);
}

static void
sends_and_changes_share_a_batch(void **state)
{
	struct fixture *fixture = *state;
	int64_t batches = metrics_get(METRIC_WRITER_BATCHES);
	struct mix mix;

	make_mix(fixture, &mix, "two");
	run(fixture, mix.ops, sizeof mix.ops / sizeof mix.ops[0]);
	assert_stored(&mix.second, 3, 6);
	assert_mixed(fixture, &mix, 1);
	assert_int_equal(metrics_get(METRIC_WRITER_BATCHES), batches + 1);
	finish_mix(&mix);
}

/* What was rolled back is run again one by one, and has the same results. */
static void
a_batch_that_fails_is_run_again(void **state)
{
	struct fixture *fixture = *state;
	int64_t retries = metrics_get(METRIC_WRITER_RETRIES);
	struct mix mix;

	test_database_poison(fixture->test, false);
	make_mix(fixture, &mix, "poison");
	run(fixture, mix.ops, sizeof mix.ops / sizeof mix.ops[0]);
	assert_refused(&mix.second.op, ERR_INTERNAL, "internal_error");
	assert_mixed(fixture, &mix, 0);
	assert_int_equal(metrics_get(METRIC_WRITER_RETRIES), retries + 1);
	finish_mix(&mix);
}

/* A change that the database cannot digest leaves no trace of itself. */
static void
a_change_is_whole_or_not_at_all(void **state)
{
	struct fixture *fixture = *state;

	change(fixture, MESSAGE_REACT, fixture->bob, WAVE);
	test_database_poison_changes(fixture->test);
	assert_refused(&change(fixture, MESSAGE_DELETE, fixture->ada, NULL)->op, ERR_INTERNAL, "internal_error");
	assert_refused(&change(fixture, MESSAGE_REACT, fixture->ada, WAVE)->op, ERR_INTERNAL, "internal_error");
	assert_int_equal(head(fixture), 3);
	assert_int_equal(read_word(fixture).reactions[0].count, 1);
	test_database_cure(fixture->test);
	assert_changed(fixture, change(fixture, MESSAGE_DELETE, fixture->ada, NULL), 4);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_edit_keeps_all_but_the_words),
		CASE(a_deleted_message_keeps_its_place),
		CASE(a_reaction_is_once_a_person_and_emoji),
		CASE(twenty_different_reactions_are_enough),
		CASE(only_who_may_is_answered),
		CASE(a_message_is_one_of_its_conversation),
		CASE(a_condition_is_looked_at_after_what_is_done_already),
		CASE(a_log_in_that_has_ended_changes_nothing),
		CASE(sends_and_changes_share_a_batch),
		CASE(a_batch_that_fails_is_run_again),
		CASE(a_change_is_whole_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
