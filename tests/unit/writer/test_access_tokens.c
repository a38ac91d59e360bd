/* writer/access_tokens: making one with a living log-in, at most so many alive, and noting a use. */
#include "accounts_fixture.h"

#include "store/access_tokens.h"

/* A token of Ada's, named by its hash. Not to be copied afterwards. */
static void
make_token(struct fixture *fixture, struct write_access_token *ret_write, const char *session_id, const char *hash)
{
	*ret_write = (struct write_access_token){.op.kind = WRITE_CREATE_TOKEN};
	make_session(&ret_write->token, fixture->ada, hash);
	snprintf(ret_write->token.family_hash, ID_SECRET_SIZE, "%s", hash);
	ret_write->token.last_used_at_ms = 0;
	ret_write->token.name = "report";
	ret_write->token.prefix = "stonechat_pat_01234567";
	memcpy(ret_write->session_id, session_id, ID_SIZE);
}

/* The refusal's code, or "". */
static const char *
create(struct fixture *fixture, const char *session_id, const char *hash)
{
	struct write_access_token write;

	make_token(fixture, &write, session_id, hash);
	run_one(fixture, &write.op);
	arena_finish(&write.op.arena);
	return write.op.status == OK ? "" : write.op.fault.code;
}

static void
fill(struct fixture *fixture, const char *session_id, size_t n)
{
	char hash[32];

	for (size_t i = 0; i < n; i++) {
		snprintf(hash, sizeof hash, "hash %zu", i);
		assert_string_equal(create(fixture, session_id, hash), "");
	}
}

static size_t
n_tokens(struct fixture *fixture)
{
	struct login_session *tokens;
	size_t n;

	check_ok(fixture->test, access_tokens_list(fixture->test->db, &fixture->test->arena, fixture->ada,
						   clock_wall_ms(), &tokens, &n));
	return n;
}

static void
a_log_in_makes_one(void **state)
{
	struct fixture *fixture = *state;
	struct login_session session, found;

	insert_session(fixture, fixture->ada, "h0", &session);
	assert_string_equal(create(fixture, session.id, "hash"), "");
	check_ok(fixture->test, access_tokens_find(fixture->test->db, "hash", clock_wall_ms(), &found, NULL));
	assert_string_equal(found.user_id, fixture->ada);
	assert_int_equal(found.last_used_at_ms, 0);
	assert_int_equal(person_rev(fixture), 0); /* nobody's page shows it but the one that asked */
}

static void
fifty_are_enough(void **state)
{
	struct fixture *fixture = *state;
	struct login_session session;

	insert_session(fixture, fixture->ada, "h0", &session);
	fill(fixture, session.id, ACCESS_TOKENS_MAX);
	assert_string_equal(create(fixture, session.id, "one more"), "too_many_tokens");
	assert_int_equal(n_tokens(fixture), ACCESS_TOKENS_MAX);
	test_database_run(fixture->test, "UPDATE sessions SET revoked_at = 1 WHERE family_hash = 'hash 7'");
	assert_string_equal(create(fixture, session.id, "after a revocation"), "");
	assert_string_equal(create(fixture, session.id, "one more"), "too_many_tokens");
	test_database_run(fixture->test, "UPDATE sessions SET expires_at = 1 WHERE family_hash = 'hash 8'");
	assert_string_equal(create(fixture, session.id, "after its time"), "");
	assert_string_equal(create(fixture, session.id, "one more"), "too_many_tokens");
}

static void
the_last_place_is_given_once(void **state)
{
	struct fixture *fixture = *state;
	struct write_access_token writes[2];
	struct write_op *ops[] = {&writes[0].op, &writes[1].op};
	struct login_session session;

	insert_session(fixture, fixture->ada, "h0", &session);
	fill(fixture, session.id, ACCESS_TOKENS_MAX - 1);
	make_token(fixture, &writes[0], session.id, "the last");
	make_token(fixture, &writes[1], session.id, "too late");
	batch_run(&fixture->runner, ops, 2);
	check_status(writes[0].op.status, OK);
	assert_refused(&writes[1].op, ERR_CONFLICT, "too_many_tokens");
	assert_int_equal(n_tokens(fixture), ACCESS_TOKENS_MAX);
	arena_finish(&writes[0].op.arena);
	arena_finish(&writes[1].op.arena);
}

static void
somebody_elses_tokens_do_not_count(void **state)
{
	struct fixture *fixture = *state;
	struct login_session session, of_bob;
	char bob[ID_SIZE];

	add_person(fixture->test, "bob", bob);
	insert_session(fixture, fixture->ada, "h0", &session);
	insert_session(fixture, bob, "of bob", &of_bob);
	fill(fixture, session.id, ACCESS_TOKENS_MAX);
	test_database_run(fixture->test, "UPDATE sessions SET user_id = (SELECT id FROM users WHERE username = 'bob')"
					 " WHERE kind = 'token'");
	assert_string_equal(create(fixture, session.id, "hash"), "");
	assert_string_equal(create(fixture, of_bob.id, "not by that log-in"), "session_ended");
	assert_int_equal(n_tokens(fixture), 1);
}

static void
a_log_in_that_has_ended_makes_none(void **state)
{
	static const char *const ends[] = {
		"UPDATE sessions SET revoked_at = 1",
		"UPDATE sessions SET revoked_at = NULL, expires_at = 1",
		"UPDATE sessions SET expires_at = 9007199254740991",
		"UPDATE users SET deleted_at = 1",
	};
	struct fixture *fixture = *state;
	struct login_session session;
	char nobody[ID_SIZE];

	insert_session(fixture, fixture->ada, "h0", &session);
	id_make(nobody);
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		test_database_run(fixture->test, ends[i]);
		assert_string_equal(create(fixture, i == 2 ? nobody : session.id, "hash"), "session_ended");
	}
	assert_int_equal(count(fixture, "SELECT count(*) FROM sessions WHERE kind = 'token'"), 0);
}

static void
a_use_is_noted_and_no_device_is_touched(void **state)
{
	struct fixture *fixture = *state;
	struct write_access_token use = {.op.kind = WRITE_USE_TOKEN}, made;
	struct login_session session;

	insert_session(fixture, fixture->ada, "h0", &session);
	test_database_run(fixture->test, "UPDATE sessions SET last_used_at = 1");
	make_token(fixture, &made, session.id, "hash");
	run_one(fixture, &made.op);
	memcpy(use.token.id, made.token.id, ID_SIZE);
	for (int i = 0; i < 2; i++) {
		run_one(fixture, &use.op);
		check_status(use.op.status, OK);
		assert_true(count(fixture, "SELECT last_used_at FROM sessions WHERE kind = 'token'") > 1);
	}
	memcpy(use.token.id, session.id, ID_SIZE);
	run_one(fixture, &use.op);
	check_status(use.op.status, OK);
	assert_int_equal(count(fixture, "SELECT last_used_at FROM sessions WHERE kind = 'device'"), 1);
	id_make(use.token.id); /* revoked and cleaned away meanwhile */
	run_one(fixture, &use.op);
	check_status(use.op.status, OK);
	arena_finish(&made.op.arena);
	arena_finish(&use.op.arena);
}

/* The same hash twice cannot be: the first is kept, and whoever was rolled back with the second is run again. */
static void
run_again_it_is_one(void **state)
{
	struct fixture *fixture = *state;
	struct write_access_token writes[2];
	struct write_op *ops[] = {&writes[0].op, &writes[1].op};
	struct login_session session;

	insert_session(fixture, fixture->ada, "h0", &session);
	make_token(fixture, &writes[0], session.id, "hash");
	make_token(fixture, &writes[1], session.id, "hash");
	batch_run(&fixture->runner, ops, 2);
	check_status(writes[0].op.status, OK);
	assert_refused(&writes[1].op, ERR_UNAVAILABLE, "write_conflict");
	assert_int_equal(n_tokens(fixture), 1);
	arena_finish(&writes[0].op.arena);
	arena_finish(&writes[1].op.arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_log_in_makes_one),
		CASE(fifty_are_enough),
		CASE(the_last_place_is_given_once),
		CASE(somebody_elses_tokens_do_not_count),
		CASE(a_log_in_that_has_ended_makes_none),
		CASE(a_use_is_noted_and_no_device_is_touched),
		CASE(run_again_it_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
