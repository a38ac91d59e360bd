/* A log-in that has ended writes nothing more, whatever the door looked up before: it is asked for in the transaction itself. */
#include "accounts_fixture.h"

/* What Ada's log-in asks for, one operation of each kind; `op` points to the one that was made. */
union asked {
	struct write_op op;
	struct write_send_message send;
	struct write_change_message change;
	struct write_user user;
	struct write_password password;
	struct write_direct direct;
	struct write_mark_read mark;
};

struct scene {
	struct fixture *fixture;
	char bob[ID_SIZE], conversation_id[ID_SIZE], notes_id[ID_SIZE], message_id[ID_SIZE];
	const char *session_id;
};

static void
ask_send(const struct scene *scene, union asked *ret_asked)
{
	make_send(&ret_asked->send, scene->fixture->ada, scene->conversation_id, NULL, "too late");
	memcpy(ret_asked->send.draft.session_id, scene->session_id, ID_SIZE);
}

static void
ask_change(const struct scene *scene, union asked *ret_asked)
{
	make_change(&ret_asked->change, MESSAGE_DELETE, scene->fixture->ada, scene->conversation_id, scene->message_id);
	memcpy(ret_asked->change.change.session_id, scene->session_id, ID_SIZE);
}

static void
ask_user(const struct scene *scene, union asked *ret_asked)
{
	ret_asked->user = (struct write_user){.op.kind = WRITE_UPDATE_USER, .display_name = "too late"};
	memcpy(ret_asked->user.user_id, scene->fixture->ada, ID_SIZE);
	memcpy(ret_asked->user.session_id, scene->session_id, ID_SIZE);
}

static void
ask_password(const struct scene *scene, union asked *ret_asked)
{
	ret_asked->password =
		(struct write_password){.op.kind = WRITE_PASSWORD, .verified_hash = "$hash", .new_hash = "$too late"};
	memcpy(ret_asked->password.user_id, scene->fixture->ada, ID_SIZE);
	memcpy(ret_asked->password.session_id, scene->session_id, ID_SIZE);
}

static void
ask_direct(const struct scene *scene, union asked *ret_asked)
{
	ret_asked->direct =
		(struct write_direct){.op = {.kind = WRITE_ENSURE_DIRECT, .conversation_id = scene->notes_id}};
	memcpy(ret_asked->direct.user_id, scene->fixture->ada, ID_SIZE);
	memcpy(ret_asked->direct.other_id, scene->fixture->ada, ID_SIZE);
	memcpy(ret_asked->direct.session_id, scene->session_id, ID_SIZE);
}

static void
ask_mark(const struct scene *scene, union asked *ret_asked)
{
	ret_asked->mark = (struct write_mark_read){.op.kind = WRITE_MARK_READ, .seq = 1};
	memcpy(ret_asked->mark.conversation_id, scene->conversation_id, ID_SIZE);
	memcpy(ret_asked->mark.user_id, scene->fixture->ada, ID_SIZE);
	memcpy(ret_asked->mark.session_id, scene->session_id, ID_SIZE);
	ret_asked->mark.op.conversation_id = ret_asked->mark.conversation_id;
}

static void (*const asks[])(const struct scene *scene, union asked *ret_asked) = {
	ask_send, ask_change, ask_user, ask_password, ask_direct, ask_mark,
};

/* Ada has logged in, and Bob has said something to her (mark_read has something to do) and she to him. */
static void
prepare(struct fixture *fixture, struct scene *ret_scene)
{
	struct write_send_message send;

	*ret_scene = (struct scene){.fixture = fixture};
	add_person(fixture->test, "bob", ret_scene->bob);
	make_direct_send(&send, ret_scene->bob, fixture->ada, NULL, "hello");
	run_one(fixture, &send.op);
	memcpy(ret_scene->conversation_id, send.draft.conversation_id, ID_SIZE);
	arena_finish(&send.op.arena);
	make_direct_send(&send, fixture->ada, ret_scene->bob, NULL, "hello yourself");
	run_one(fixture, &send.op);
	memcpy(ret_scene->message_id, send.stored.id, ID_SIZE);
	arena_finish(&send.op.arena);
	id_direct_conversation(fixture->ada, fixture->ada, ret_scene->notes_id);
	log_in(fixture, "h0");
	ret_scene->session_id = fixture->write.session.id;
}

/* A number that every one of the operations would change. */
static int64_t
weigh(struct fixture *fixture)
{
	return test_database_int64(
		fixture->test, "SELECT (SELECT sum(last_rev) FROM users) + (SELECT sum(last_rev) FROM conversations)"
			       " + (SELECT count(*) FROM conversations)"
			       " + (SELECT count(*) FROM users WHERE display_name <> 'too late')"
			       " + (SELECT count(*) FROM users WHERE password_hash <> '$too late')");
}

static void
nothing_is_written_after_its_end(void **state)
{
	static const char *const ends[] = {
		"UPDATE sessions SET revoked_at = 1",
		"UPDATE sessions SET expires_at = 1",
		"UPDATE users SET disabled_at = 1 WHERE username = 'ada'",
		"UPDATE users SET disabled_at = NULL, deleted_at = 1 WHERE username = 'ada'",
		"DELETE FROM sessions",
	};
	struct fixture *fixture = *state;
	struct scene scene;

	prepare(fixture, &scene);
	int64_t before = weigh(fixture);
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		test_database_run(fixture->test, ends[i]);
		for (size_t k = 0; k < sizeof asks / sizeof asks[0]; k++) {
			union asked asked;

			asks[k](&scene, &asked);
			run_one(fixture, &asked.op);
			assert_refused(&asked.op, ERR_UNAUTHORIZED, "session_ended");
			assert_int_equal(weigh(fixture), before);
			arena_finish(&asked.op.arena);
		}
		test_database_run(fixture->test,
				  i < 2 ? "UPDATE sessions SET revoked_at = NULL, expires_at = 9007199254740991"
					: "SELECT 1");
	}
}

/* The other half: as long as it lives, each of them does change something. */
static void
all_is_written_before_it(void **state)
{
	struct fixture *fixture = *state;
	struct scene scene;

	prepare(fixture, &scene);
	for (size_t k = 0; k < sizeof asks / sizeof asks[0]; k++) {
		int64_t before = weigh(fixture);
		union asked asked;

		asks[k](&scene, &asked);
		run_one(fixture, &asked.op);
		check_status(asked.op.status, OK);
		assert_int_not_equal(weigh(fixture), before);
		arena_finish(&asked.op.arena);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(nothing_is_written_after_its_end),
		CASE(all_is_written_before_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
