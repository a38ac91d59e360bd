/* writer/accounts: the life of a session from log-in over rotation to its end. */
#include "support/redis_server.h"
#include "unit/writer/accounts_fixture.h"

static void
log_in_needs_an_active_account(void **state)
{
	struct fixture *fixture = *state;

	log_in(fixture, "h0");
	assert_int_equal(fixture->write.op.status, OK);
	assert_string_equal(fixture->write.user.username, "ada");
	test_database_run(fixture->test, "UPDATE users SET disabled_at = 1");
	log_in(fixture, "h1");
	assert_refused(&fixture->write.op, ERR_UNAUTHORIZED, "account_disabled");
	test_database_run(fixture->test, "UPDATE users SET disabled_at = NULL, deleted_at = 1");
	log_in(fixture, "h1");
	assert_refused(&fixture->write.op, ERR_UNAUTHORIZED, "account_disabled");
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(*) FROM sessions"), 1);
}

static void
a_token_works_once_and_its_predecessor_for_a_while(void **state)
{
	struct fixture *fixture = *state;

	log_in(fixture, "h0");
	assert_rotated(fixture, "h0", "h1");
	assert_rotated(fixture, "h0", "h1"); /* the answer was lost, or another tab: the same successor */
	assert_rotated(fixture, "h1", "h2");
	assert_rotated(fixture, "h1", "h2");
	assert_int_equal(person_rev(fixture), 0);
}

static void
an_unknown_token_ends_nothing(void **state)
{
	struct fixture *fixture = *state;

	log_in(fixture, "h7"); /* of another family than the one that is presented */
	rotate(fixture, "h0", "h1");
	assert_refused(&fixture->write.op, ERR_UNAUTHORIZED, "refresh_token_invalid");
	assert_int_equal(person_rev(fixture), 0);
}

static void
a_used_up_token_ends_the_session(void **state)
{
	struct fixture *fixture = *state;

	log_in(fixture, "h0");
	assert_rotated(fixture, "h0", "h1");
	assert_rotated(fixture, "h1", "h2"); /* the successor has been used: */
	rotate(fixture, "h0", "h1");
	assert_refused(&fixture->write.op, ERR_UNAUTHORIZED, "refresh_token_reused");
	rotate(fixture, "h2", "h3");
	assert_refused(&fixture->write.op, ERR_UNAUTHORIZED, "session_ended");
	assert_int_equal(person_rev(fixture), 1);
}

static void
grace_is_not_renewed_by_using_it(void **state)
{
	struct fixture *fixture = *state;

	log_in(fixture, "h0");
	assert_rotated(fixture, "h0", "h1");
	test_database_run(fixture->test, "UPDATE sessions SET rotated_at = rotated_at - 50000");

	int64_t rotated_at = test_database_int64(fixture->test, "SELECT rotated_at FROM sessions");
	assert_rotated(fixture, "h0", "h1");
	assert_int_equal(test_database_int64(fixture->test, "SELECT rotated_at FROM sessions"), rotated_at);
}

static void
a_token_used_too_late_ends_the_session(void **state)
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
	snprintf(channel, sizeof channel, "u:%s", fixture->ada);
	redis_subscriber_add(&subscriber, channel, 1);
	assert_int_equal(bus_create(server.url, &fixture->runner.bus, NULL), OK);

	log_in(fixture, "h0");
	char session_id[ID_SIZE];
	memcpy(session_id, fixture->write.session.id, ID_SIZE);
	assert_rotated(fixture, "h0", "h1");
	test_database_run(fixture->test, "UPDATE sessions SET rotated_at = rotated_at - 61000");
	rotate(fixture, "h0", "h2");
	assert_refused(&fixture->write.op, ERR_UNAUTHORIZED, "refresh_token_reused");
	assert_int_equal(test_database_int64(fixture->test,
					     "SELECT count(*) FROM sessions WHERE revoked_at IS NOT NULL"),
			 1);
	assert_int_equal(person_rev(fixture), 1);

	char *bytes = redis_subscriber_next(&subscriber, channel, sizeof channel, &len);
	assert_int_equal(event_decode(channel, bytes, len, epoch, &event), OK);
	assert_string_equal(event.kind, "session.revoked");
	assert_string_equal(event.subject_id, session_id);
	assert_int_equal(event.rev, 1);
	free(bytes);

	rotate(fixture, "h1", "h2"); /* whoever holds the newest is out as well */
	assert_refused(&fixture->write.op, ERR_UNAUTHORIZED, "session_ended");
	rotate(fixture, "h0", "h2");
	assert_refused(&fixture->write.op, ERR_UNAUTHORIZED, "session_ended");
	assert_int_equal(person_rev(fixture), 1);
	bus_destroy(fixture->runner.bus);
	redis_subscriber_finish(&subscriber);
	redis_server_finish(&server);
}

static void
ended_sessions_do_not_rotate(void **state)
{
	static const char *const cases[] = {
		"UPDATE sessions SET expires_at = 1",
		"UPDATE sessions SET revoked_at = 1",
		"UPDATE users SET disabled_at = 1",
		"UPDATE users SET deleted_at = 1",
	};
	struct fixture *fixture = *state;

	log_in(fixture, "h0");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		test_database_run(fixture->test, cases[i]);
		rotate(fixture, "h0", "h1");
		assert_refused(&fixture->write.op, ERR_UNAUTHORIZED, "session_ended");
		test_database_run(fixture->test, "UPDATE sessions SET expires_at = 9999999999999, revoked_at = NULL;"
						 "UPDATE users SET disabled_at = NULL, deleted_at = NULL");
	}
	assert_rotated(fixture, "h0", "h1");
}

static void
ending_twice_is_ending_once(void **state)
{
	struct fixture *fixture = *state;
	char session_id[ID_SIZE], unknown[ID_SIZE];

	log_in(fixture, "h0");
	memcpy(session_id, fixture->write.session.id, ID_SIZE);
	end_session(fixture, session_id);
	assert_int_equal(person_rev(fixture), 1);
	assert_int_equal(test_database_int64(fixture->test, "SELECT user_rev FROM sessions"), 1);
	end_session(fixture, session_id);
	id_make(unknown);
	end_session(fixture, unknown);
	assert_int_equal(person_rev(fixture), 1); /* no number was burnt */
}

/* One batch: whose log-in has ended writes nothing, whoever else is in it. */
static void
an_ended_session_sends_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct write_send_message sends[3];
	struct write_op *ops[3];
	char session_id[ID_SIZE], other_id[ID_SIZE];

	log_in(fixture, "h0");
	memcpy(session_id, fixture->write.session.id, ID_SIZE);
	log_in(fixture, "h1");
	memcpy(other_id, fixture->write.session.id, ID_SIZE);
	end_session(fixture, session_id);
	for (int i = 0; i < 3; i++) {
		make_direct_send(&sends[i], fixture->ada, fixture->ada, NULL, "to myself");
		memcpy(sends[i].draft.session_id, i == 1 ? session_id : other_id, ID_SIZE);
		ops[i] = &sends[i].op;
	}
	batch_run(&fixture->runner, ops, 3);
	assert_stored(&sends[0], 1, 2);
	assert_refused(&sends[1].op, ERR_UNAUTHORIZED, "session_ended");
	assert_stored(&sends[2], 2, 3);
	for (int i = 0; i < 3; i++)
		arena_finish(&sends[i].op.arena);
}

/* How a log-in may end within a batch; each is queued by somebody else than the session itself. */
enum ending { ENDS_BY_REVOCATION, ENDS_BY_A_NEW_PASSWORD, ENDS_BY_A_USED_UP_TOKEN };

struct race {
	struct write_session end;
	struct write_password new_password, before, behind;
	struct write_send_message first, sends[2];
	struct write_change_message edit;
	struct write_mark_read mark;
	struct write_user name;
	char doomed[ID_SIZE], kept[ID_SIZE];
};

static void
prepare_password(struct fixture *fixture, struct write_password *ret_write, const char *session_id,
		 const char *verified_hash)
{
	*ret_write = (struct write_password){.op.kind = WRITE_PASSWORD,
					     .verified_hash = verified_hash,
					     .new_hash = "$another"};
	memcpy(ret_write->user_id, fixture->ada, ID_SIZE);
	memcpy(ret_write->session_id, session_id, ID_SIZE);
}

/* Two log-ins of Ada's, of which the tokens h0 and h1 of the doomed one are used up, and a note to herself. */
static void
prepare_race(struct fixture *fixture, struct race *race)
{
	log_in(fixture, "h0");
	memcpy(race->doomed, fixture->write.session.id, ID_SIZE);
	assert_rotated(fixture, "h0", "h1");
	assert_rotated(fixture, "h1", "h2");
	log_in(fixture, "k0");
	memcpy(race->kept, fixture->write.session.id, ID_SIZE);
	make_direct_send(&race->first, fixture->ada, fixture->ada, NULL, "note");
	run_one(fixture, &race->first.op);
	assert_int_equal(race->first.op.status, OK);
}

static struct write_op *
prepare_end(struct fixture *fixture, struct race *race, enum ending ending)
{
	if (ending == ENDS_BY_A_NEW_PASSWORD) {
		prepare_password(fixture, &race->new_password, race->kept, "$hash");
		return &race->new_password.op;
	}
	race->end = (struct write_session){.op.kind = WRITE_REVOKE_SESSION, .presented_hash = "h0"};
	make_session(&race->end.session, fixture->ada, "h0");
	memcpy(race->end.session.id, race->doomed, ID_SIZE);
	if (ending == ENDS_BY_A_USED_UP_TOKEN)
		race->end.op.kind = WRITE_ROTATE_SESSION;
	return &race->end.op;
}

/* What the doomed session asks for behind its end; the second send is the other session's. */
static void
prepare_behind(struct fixture *fixture, struct race *race)
{
	const char *talk = race->first.draft.conversation_id;

	prepare_password(fixture, &race->behind, race->doomed, "$hash");
	for (int i = 0; i < 2; i++) {
		make_direct_send(&race->sends[i], fixture->ada, fixture->ada, NULL, "another note");
		memcpy(race->sends[i].draft.session_id, i == 0 ? race->doomed : race->kept, ID_SIZE);
	}
	make_change(&race->edit, MESSAGE_EDIT, fixture->ada, talk, race->first.stored.id);
	race->edit.change.content = "another word";
	memcpy(race->edit.change.session_id, race->doomed, ID_SIZE);
	race->mark = (struct write_mark_read){.op = {.kind = WRITE_MARK_READ, .conversation_id = talk}, .seq = 1};
	memcpy(race->mark.conversation_id, talk, ID_SIZE);
	memcpy(race->mark.user_id, fixture->ada, ID_SIZE);
	memcpy(race->mark.session_id, race->doomed, ID_SIZE);
	race->name = (struct write_user){.op.kind = WRITE_UPDATE_USER, .display_name = "another word"};
	memcpy(race->name.user_id, fixture->ada, ID_SIZE);
	memcpy(race->name.session_id, race->doomed, ID_SIZE);
}

/* Also when the batch has found the session alive a moment before. */
static void
run_race(struct fixture *fixture, enum ending ending)
{
	struct race race = {0};
	struct write_op *refused[] = {&race.behind.op, &race.name.op, &race.sends[0].op, &race.edit.op, &race.mark.op};
	struct write_op *end;

	prepare_race(fixture, &race);
	end = prepare_end(fixture, &race, ending);
	prepare_password(fixture, &race.before, race.doomed, "$yesterday's");
	prepare_behind(fixture, &race);

	struct write_op *ops[] = {&race.before.op,   end,           &race.behind.op, &race.name.op,
				  &race.sends[0].op, &race.edit.op, &race.mark.op,   &race.sends[1].op};
	batch_run(&fixture->runner, ops, sizeof ops / sizeof ops[0]);
	assert_refused(&race.before.op, ERR_CONFLICT, "password_changed");
	assert_int_equal(end->status, ending == ENDS_BY_A_USED_UP_TOKEN ? ERR_UNAUTHORIZED : OK);
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
		assert_refused(refused[i], ERR_UNAUTHORIZED, "session_ended");
	assert_stored(&race.sends[1], 2, race.first.stored.rev + 1);
	assert_int_equal(test_database_int64(fixture->test, "SELECT last_rev FROM conversations"),
			 race.first.stored.rev + 1);
	assert_int_equal(test_database_int64(fixture->test,
					     "SELECT count(*) FROM messages WHERE content LIKE '%word%'"),
			 0);
	assert_int_equal(test_database_int64(fixture->test, "SELECT password_hash = '$another' FROM users"),
			 ending == ENDS_BY_A_NEW_PASSWORD);
	arena_finish(&race.first.op.arena);
	for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
		arena_finish(&ops[i]->arena);
}

static void
what_is_queued_behind_a_revocation_is_refused(void **state)
{
	run_race(*state, ENDS_BY_REVOCATION);
}

static void
what_is_queued_behind_a_new_password_is_refused(void **state)
{
	run_race(*state, ENDS_BY_A_NEW_PASSWORD);
}

static void
what_is_queued_behind_a_used_up_token_is_refused(void **state)
{
	run_race(*state, ENDS_BY_A_USED_UP_TOKEN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(log_in_needs_an_active_account),
		CASE(a_token_works_once_and_its_predecessor_for_a_while),
		CASE(an_unknown_token_ends_nothing),
		CASE(a_used_up_token_ends_the_session),
		CASE(grace_is_not_renewed_by_using_it),
		CASE(a_token_used_too_late_ends_the_session),
		CASE(ended_sessions_do_not_rotate),
		CASE(ending_twice_is_ending_once),
		CASE(an_ended_session_sends_nothing),
		CASE(what_is_queued_behind_a_revocation_is_refused),
		CASE(what_is_queued_behind_a_new_password_is_refused),
		CASE(what_is_queued_behind_a_used_up_token_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
