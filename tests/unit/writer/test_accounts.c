/* writer/accounts: signing up, and the life of a session from log-in over rotation to its end. */
#include "support/redis_server.h"
#include "support/writing.h"

#include "store/sessions.h"

struct fixture {
	struct test_database *test;
	struct batch_runner runner;
	char ada[ID_SIZE];
	struct write_session write;
};

static int
set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);

	assert_int_equal(test_database_setup((void **)&fixture->test), 0);
	fixture->runner.db = fixture->test->db;
	add_person(fixture->test, "ada", fixture->ada);
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
run_one(struct fixture *fixture, struct write_op *op)
{
	batch_run(&fixture->runner, &op, 1);
	assert_false(db_in_transaction(fixture->test->db));
}

static void
make_session(struct login_session *ret_session, const char *user_id, const char *hash)
{
	*ret_session = (struct login_session){
		.user_agent = "test",
		.address = "127.0.0.1",
		.created_at_ms = clock_wall_ms(),
		.last_used_at_ms = clock_wall_ms(),
		.expires_at_ms = clock_wall_ms() + 1000000,
	};
	id_make(ret_session->id);
	memcpy(ret_session->user_id, user_id, ID_SIZE);
	snprintf(ret_session->family_hash, ID_SECRET_SIZE, "family of %s", hash);
	snprintf(ret_session->refresh_hash, ID_SECRET_SIZE, "%s", hash);
}

static void
log_in(struct fixture *fixture, const char *hash)
{
	arena_finish(&fixture->write.op.arena);
	fixture->write = (struct write_session){.op.kind = WRITE_CREATE_SESSION};
	make_session(&fixture->write.session, fixture->ada, hash);
	run_one(fixture, &fixture->write.op);
}

static void
rotate(struct fixture *fixture, const char *presented_hash, const char *new_hash)
{
	arena_finish(&fixture->write.op.arena);
	fixture->write = (struct write_session){.op.kind = WRITE_ROTATE_SESSION, .presented_hash = presented_hash};
	snprintf(fixture->write.session.family_hash, ID_SECRET_SIZE, "family of h0");
	snprintf(fixture->write.session.refresh_hash, ID_SECRET_SIZE, "%s", new_hash);
	run_one(fixture, &fixture->write.op);
}

static void
assert_rotated(struct fixture *fixture, const char *presented_hash, const char *new_hash)
{
	rotate(fixture, presented_hash, new_hash);
	assert_int_equal(fixture->write.op.status, OK);
	assert_string_equal(fixture->write.session.refresh_hash, new_hash);
	assert_string_equal(fixture->write.session.previous_hash, presented_hash);
	assert_string_equal(fixture->write.session.user_id, fixture->ada);
	assert_string_equal(fixture->write.user.username, "ada");
}

static void
end_session(struct fixture *fixture, const char *session_id)
{
	struct write_session write = {.op.kind = WRITE_REVOKE_SESSION};

	memcpy(write.session.id, session_id, ID_SIZE);
	memcpy(write.session.user_id, fixture->ada, ID_SIZE);
	run_one(fixture, &write.op);
	assert_int_equal(write.op.status, OK);
	arena_finish(&write.op.arena);
}

static int64_t
person_rev(struct fixture *fixture)
{
	return test_database_int64(fixture->test, "SELECT last_rev FROM users WHERE username = 'ada'");
}

static void
names_are_taken_once(void **state)
{
	static const struct {
		const char *username, *key;
		bool taken;
	} cases[] = {
		{"grace", "grace", false},
		{"gra-ce", "grace", true},
		{"ada", "ada", true},
		{"joan", "joan", false},
	};
	enum { N = sizeof cases / sizeof cases[0] };
	struct fixture *fixture = *state;
	struct write_sign_up writes[N];
	struct write_op *ops[N];

	for (size_t i = 0; i < N; i++) {
		writes[i] = (struct write_sign_up){
			.op.kind = WRITE_SIGN_UP,
			.user = {.username = cases[i].username,
				 .username_key = cases[i].key,
				 .display_name = cases[i].username,
				 .created_at_ms = clock_wall_ms()},
			.password_hash = "$hash",
		};
		id_make(writes[i].user.id);
		make_session(&writes[i].session, writes[i].user.id, cases[i].username);
		ops[i] = &writes[i].op;
	}
	batch_run(&fixture->runner, ops, N); /* one batch: the refused ones don't harm the others */
	for (size_t i = 0; i < N; i++) {
		if (cases[i].taken) {
			assert_refused(&writes[i].op, ERR_CONFLICT, "username_taken");
			assert_string_equal(writes[i].op.fault.field, "username");
		} else {
			assert_int_equal(writes[i].op.status, OK);
			assert_string_equal(writes[i].user.role, "member"); /* Ada was the first */
		}
		arena_finish(&writes[i].op.arena);
	}
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(*) FROM users"), 3);
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(*) FROM sessions"), 2);
}

static void
the_name_of_a_deleted_person_stays_taken(void **state)
{
	struct fixture *fixture = *state;
	struct write_sign_up write = {
		.op.kind = WRITE_SIGN_UP,
		.user = {.username = "ada", .username_key = "ada", .display_name = "Ada", .created_at_ms = 1},
		.password_hash = "$hash",
	};

	test_database_run(fixture->test, "UPDATE users SET deleted_at = 1");
	id_make(write.user.id);
	make_session(&write.session, write.user.id, "h");
	run_one(fixture, &write.op);
	assert_refused(&write.op, ERR_CONFLICT, "username_taken");
	arena_finish(&write.op.arena);
}

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

/* Adds a log-in of Ada's; its id. The password is the one of `verified_hash`. */
static void
log_in_by_password(struct fixture *fixture, const char *hash, const char *verified_hash)
{
	arena_finish(&fixture->write.op.arena);
	fixture->write = (struct write_session){.op.kind = WRITE_CREATE_SESSION, .verified_hash = verified_hash};
	make_session(&fixture->write.session, fixture->ada, hash);
	run_one(fixture, &fixture->write.op);
}

/* As somebody whose current password has the hash `verified_hash`. */
static void
change_password(struct fixture *fixture, const char *session_id, const char *verified_hash, struct write_op *ret_op)
{
	struct write_password write = {.op.kind = WRITE_PASSWORD,
				       .verified_hash = verified_hash,
				       .new_hash = "$another"};

	memcpy(write.user_id, fixture->ada, ID_SIZE);
	memcpy(write.session_id, session_id, ID_SIZE);
	run_one(fixture, &write.op);
	arena_finish(&write.op.arena);
	*ret_op = write.op;
}

static void
a_new_password_ends_the_other_sessions(void **state)
{
	struct fixture *fixture = *state;
	char mine[ID_SIZE];
	struct write_op op;

	log_in(fixture, "h0");
	memcpy(mine, fixture->write.session.id, ID_SIZE);
	for (int i = 1; i <= 3; i++)
		log_in(fixture, (const char *const[]){"h1", "h2", "h3"}[i - 1]);
	end_session(fixture, fixture->write.session.id);
	assert_int_equal(person_rev(fixture), 1);

	change_password(fixture, mine, "$hash", &op);
	assert_int_equal(op.status, OK);
	assert_int_equal(person_rev(fixture), 3); /* two were alive besides this one, and each is a change */
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(*) FROM sessions WHERE revoked_at IS NULL"),
			 1);
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(DISTINCT user_rev) FROM sessions"), 4);
	assert_int_equal(test_database_int64(fixture->test, "SELECT password_hash = '$another' FROM users"), 1);
	assert_rotated(fixture, "h0", "h9");
}

static void
a_password_is_changed_by_who_knows_the_current_one(void **state)
{
	struct fixture *fixture = *state;
	char mine[ID_SIZE];
	struct write_op op;

	log_in(fixture, "h0");
	memcpy(mine, fixture->write.session.id, ID_SIZE);
	log_in(fixture, "h1");
	change_password(fixture, mine, "$yesterday's", &op);
	assert_refused(&op, ERR_CONFLICT, "password_changed");
	end_session(fixture, mine); /* while the password was being hashed */
	change_password(fixture, mine, "$hash", &op);
	assert_refused(&op, ERR_UNAUTHORIZED, "session_ended");
	assert_int_equal(test_database_int64(fixture->test, "SELECT password_hash = '$hash' FROM users"), 1);
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(*) FROM sessions WHERE revoked_at IS NULL"),
			 1);
	assert_int_equal(person_rev(fixture), 1);
}

/* A log-in that was on its way when the password changed does not outlive the change. */
static void
the_old_password_logs_nobody_in(void **state)
{
	struct fixture *fixture = *state;
	char mine[ID_SIZE];
	struct write_op op;

	log_in_by_password(fixture, "h0", "$hash");
	assert_int_equal(fixture->write.op.status, OK);
	memcpy(mine, fixture->write.session.id, ID_SIZE);
	change_password(fixture, mine, "$hash", &op);
	assert_int_equal(op.status, OK);
	log_in_by_password(fixture, "h1", "$hash");
	assert_refused(&fixture->write.op, ERR_UNAUTHORIZED, "password_changed");
	log_in_by_password(fixture, "h2", "$another");
	assert_int_equal(fixture->write.op.status, OK);
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(*) FROM sessions"), 2);
}

static void
a_new_name_is_found(void **state)
{
	struct fixture *fixture = *state;
	struct write_user write = {.op.kind = WRITE_UPDATE_USER, .display_name = "Ada LOVELACE"};
	struct user *users;
	size_t n;
	bool more;

	memcpy(write.user_id, fixture->ada, ID_SIZE);
	run_one(fixture, &write.op);
	assert_int_equal(write.op.status, OK);
	assert_string_equal(write.user.display_name, "Ada LOVELACE");
	assert_string_equal(write.user.username, "ada");
	check_ok(fixture->test, users_find(fixture->test->db, &write.op.arena, "ada love", "", 10, &users, &n, &more));
	assert_int_equal(n, 1);
	assert_int_equal(person_rev(fixture), 0); /* not a change of the person's stream */

	test_database_run(fixture->test, "UPDATE users SET deleted_at = 1");
	run_one(fixture, &write.op);
	assert_refused(&write.op, ERR_UNAUTHORIZED, "session_ended");
	arena_finish(&write.op.arena);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(names_are_taken_once),
		CASE(the_name_of_a_deleted_person_stays_taken),
		CASE(log_in_needs_an_active_account),
		CASE(a_token_works_once_and_its_predecessor_for_a_while),
		CASE(an_unknown_token_ends_nothing),
		CASE(a_used_up_token_ends_the_session),
		CASE(grace_is_not_renewed_by_using_it),
		CASE(a_token_used_too_late_ends_the_session),
		CASE(ended_sessions_do_not_rotate),
		CASE(ending_twice_is_ending_once),
		CASE(an_ended_session_sends_nothing),
		CASE(a_new_password_ends_the_other_sessions),
		CASE(a_password_is_changed_by_who_knows_the_current_one),
		CASE(the_old_password_logs_nobody_in),
		CASE(a_new_name_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
