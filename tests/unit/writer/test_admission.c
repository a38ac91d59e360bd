/* writer/admission: invites and the switch for signing up, each act with its row in the audit, and what both let through. */
#include "accounts_fixture.h"

static const struct write_op *
act(struct fixture *fixture, struct write_admission *write)
{
	write->op.kind = WRITE_ADMISSION;
	run_one(fixture, &write->op);
	arena_finish(&write->op.arena);
	return &write->op;
}

/* An invite whose code has this hash, made an hour ago. */
static struct write_admission
invitation(const char *hash, int64_t lifetime_ms)
{
	struct write_admission write = {.op.kind = WRITE_ADMISSION, .act = ADMISSION_INVITE, .by = OPERATOR};

	id_make(write.invite.id);
	snprintf(write.invite.code_hash, ID_SECRET_SIZE, "%s", hash);
	write.invite.created_by = "operator:test";
	write.invite.created_at_ms = clock_wall_ms() - 3600000;
	write.invite.expires_at_ms = write.invite.created_at_ms + lifetime_ms;
	return write;
}
#define A_WEEK_MS (7 * 24 * 3600000LL)

static struct write_admission
revocation(const struct write_admission *invitation)
{
	struct write_admission write = {.act = ADMISSION_REVOKE, .by = OPERATOR};

	memcpy(write.invite.id, invitation->invite.id, ID_SIZE);
	return write;
}

static enum status
set_sign_up(struct fixture *fixture, const char *sign_up)
{
	struct write_admission write = {.act = ADMISSION_SIGN_UP, .by = OPERATOR, .sign_up = sign_up};

	return act(fixture, &write)->status;
}

/* Not to be copied afterwards. `hash` is the invite's, or NULL. */
static void
make_sign_up(struct write_sign_up *ret_write, const char *username, const char *hash)
{
	*ret_write = (struct write_sign_up){.op.kind = WRITE_SIGN_UP,
					    .user = {.username = username,
						     .username_key = username,
						     .display_name = username,
						     .created_at_ms = clock_wall_ms()},
					    .password_hash = "$hash",
					    .invite_hash = hash};
	id_make(ret_write->user.id);
	make_session(&ret_write->session, ret_write->user.id, username);
}

/* Signs somebody up where the configuration says `setting`: the refusal's code, or "". */
static const char *
sign_up(struct fixture *fixture, const char *username, const char *hash, const char *setting)
{
	struct write_sign_up write;

	make_sign_up(&write, username, hash);
	write.sign_up = setting;
	run_one(fixture, &write.op);
	arena_finish(&write.op.arena);
	return write.op.status == OK ? "" : write.op.fault.code;
}

static void
an_invite_works_once(void **state)
{
	struct fixture *fixture = *state;
	struct write_admission write = invitation("code", A_WEEK_MS);

	check_status(act(fixture, &write)->status, OK);
	assert_string_equal(sign_up(fixture, "bob", NULL, "invite"), "invite_required");
	assert_string_equal(sign_up(fixture, "bob", "another code", "invite"), "invite_invalid");
	assert_string_equal(sign_up(fixture, "ada", "code", "invite"), "username_taken"); /* uses nothing up */
	assert_string_equal(sign_up(fixture, "bob", "code", "invite"), "");
	assert_string_equal(sign_up(fixture, "eve", "code", "invite"), "invite_invalid");
	assert_string_equal(sign_up(fixture, "eve", "code", "open"), "invite_invalid");
	assert_int_equal(count(fixture, "SELECT count(*) FROM users"), 2);
	assert_int_equal(count(fixture, "SELECT count(*) FROM invites i JOIN users u ON u.id = i.used_by"
					" WHERE u.username = 'bob' AND i.used_at IS NOT NULL"),
			 1);
}

static void
two_at_once_are_one(void **state)
{
	struct fixture *fixture = *state;
	struct write_admission write = invitation("code", A_WEEK_MS);
	struct write_sign_up sign_ups[2];
	struct write_op *ops[] = {&sign_ups[0].op, &sign_ups[1].op};

	act(fixture, &write);
	make_sign_up(&sign_ups[0], "bob", "code");
	make_sign_up(&sign_ups[1], "eve", "code");
	batch_run(&fixture->runner, ops, 2);
	check_status(sign_ups[0].op.status, OK);
	assert_refused(&sign_ups[1].op, ERR_FORBIDDEN, "invite_invalid");
	assert_int_equal(count(fixture, "SELECT count(*) FROM users WHERE username = 'eve'"), 0);
	assert_int_equal(count(fixture, "SELECT count(*) FROM sessions"), 1);
	arena_finish(&sign_ups[0].op.arena);
	arena_finish(&sign_ups[1].op.arena);
}

static void
an_expired_one_lets_nobody_in(void **state)
{
	struct fixture *fixture = *state;
	struct write_admission past = invitation("past", 3600000 - 1), open = invitation("open", 2 * 3600000);

	act(fixture, &past);
	act(fixture, &open);
	assert_string_equal(sign_up(fixture, "bob", "past", "invite"), "invite_invalid");
	assert_string_equal(sign_up(fixture, "bob", "open", "invite"), "");
}

static void
a_revoked_one_lets_nobody_in(void **state)
{
	struct fixture *fixture = *state;
	struct write_admission write = invitation("code", A_WEEK_MS), used = invitation("used", A_WEEK_MS), end, nobody;

	act(fixture, &write);
	end = revocation(&write);
	check_status(act(fixture, &end)->status, OK);
	assert_string_equal(sign_up(fixture, "bob", "code", "invite"), "invite_invalid");
	check_status(act(fixture, &end)->status, OK); /* so already */
	assert_int_equal(count(fixture, "SELECT count(*) FROM audit WHERE action = 'invite.revoked'"), 1);

	act(fixture, &used);
	assert_string_equal(sign_up(fixture, "bob", "used", "invite"), "");
	end = revocation(&used);
	check_status(act(fixture, &end)->status, OK); /* too late: it stays used */
	assert_int_equal(count(fixture,
			       "SELECT count(*) FROM invites WHERE used_at IS NOT NULL AND revoked_at IS NULL"),
			 1);
	assert_int_equal(count(fixture, "SELECT count(*) FROM audit WHERE action = 'invite.revoked'"), 1);

	nobody = invitation("none", A_WEEK_MS);
	end = revocation(&nobody);
	assert_refused(act(fixture, &end), ERR_NOT_FOUND, "invite_not_found");
}

static void
the_switch_overrides_the_setting(void **state)
{
	struct fixture *fixture = *state;
	struct write_admission write = invitation("code", A_WEEK_MS);

	act(fixture, &write);
	assert_string_equal(sign_up(fixture, "bob", NULL, "open"), "");
	assert_string_equal(sign_up(fixture, "eve", NULL, "closed"), "sign_up_closed");
	check_status(set_sign_up(fixture, "closed"), OK);
	assert_string_equal(sign_up(fixture, "eve", NULL, "open"), "sign_up_closed");
	assert_string_equal(sign_up(fixture, "eve", "code", "open"), "sign_up_closed");
	check_status(set_sign_up(fixture, "invite"), OK);
	assert_string_equal(sign_up(fixture, "eve", NULL, "open"), "invite_required");
	check_status(set_sign_up(fixture, "open"), OK);
	assert_string_equal(sign_up(fixture, "eve", NULL, "closed"), "");
	check_status(set_sign_up(fixture, "default"), OK);
	assert_string_equal(sign_up(fixture, "dan", NULL, "closed"), "sign_up_closed");
	assert_int_equal(count(fixture, "SELECT count(*) FROM audit WHERE action = 'settings.sign_up'"), 4);
	assert_int_equal(count(fixture,
			       "SELECT count(*) FROM audit WHERE detail = '{\"from\":\"default\",\"to\":\"closed\"}'"),
			 1);
}

static void
the_switch_knows_four_words(void **state)
{
	static const char *const words[] = {"", "Open", "on", "invited", "closed "};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		struct write_admission write = {.act = ADMISSION_SIGN_UP, .by = OPERATOR, .sign_up = words[i]};

		assert_refused(act(fixture, &write), ERR_INVALID, "out_of_range");
		assert_string_equal(write.op.fault.field, "sign_up");
	}
	check_status(set_sign_up(fixture, "default"), OK); /* so already */
	assert_int_equal(count(fixture, "SELECT count(*) FROM audit"), 0);
}

static void
only_an_administrator_admits(void **state)
{
	struct fixture *fixture = *state;
	struct write_admission invite = invitation("first", A_WEEK_MS), acts[3];
	struct login_session admin, member;
	char bob[ID_SIZE];

	add_person(fixture->test, "bob", bob);
	insert_session(fixture, fixture->ada, "of ada", &admin);
	insert_session(fixture, bob, "of bob", &member);
	invite.by = acting(&admin);
	check_status(act(fixture, &invite)->status, OK);
	assert_int_equal(count(fixture, "SELECT count(*) FROM audit a JOIN users u ON u.id = a.actor JOIN invites i"
					" ON i.id = a.target WHERE u.username = 'ada' AND a.request_id = 'request-1'"),
			 1);
	acts[0] = invitation("second", A_WEEK_MS);
	acts[1] = revocation(&invite);
	acts[2] = (struct write_admission){.act = ADMISSION_SIGN_UP, .sign_up = "open"};
	for (size_t i = 0; i < 3; i++) {
		acts[i].by = acting(&member);
		assert_refused(act(fixture, &acts[i]), ERR_FORBIDDEN, "admin_required");
	}
	test_database_run(fixture->test, "UPDATE sessions SET revoked_at = 1");
	for (size_t i = 0; i < 3; i++) {
		acts[i].by = acting(&admin);
		assert_refused(act(fixture, &acts[i]), ERR_UNAUTHORIZED, "session_ended");
	}
	assert_int_equal(count(fixture, "SELECT count(*) FROM audit"), 1);
	assert_int_equal(count(fixture, "SELECT count(*) FROM invites WHERE revoked_at IS NULL"), 1);
}

/* What another one's failure rolls back is run again by itself, and noted once. */
static void
run_again_it_is_one(void **state)
{
	struct fixture *fixture = *state;
	struct write_admission invites[] = {invitation("code", A_WEEK_MS), invitation("code", A_WEEK_MS)};
	struct write_admission closing = {.op.kind = WRITE_ADMISSION,
					  .act = ADMISSION_SIGN_UP,
					  .by = OPERATOR,
					  .sign_up = "closed"};
	struct write_op *ops[] = {&closing.op, &invites[0].op, &invites[1].op};

	batch_run(&fixture->runner, ops, 3);
	check_status(closing.op.status, OK);
	check_status(invites[0].op.status, OK);
	assert_refused(&invites[1].op, ERR_UNAVAILABLE, "write_conflict");
	assert_int_equal(count(fixture, "SELECT count(*) FROM invites"), 1);
	assert_int_equal(count(fixture, "SELECT count(*) FROM audit"), 2);
	for (size_t i = 0; i < 3; i++)
		arena_finish(&ops[i]->arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_invite_works_once),
		CASE(two_at_once_are_one),
		CASE(an_expired_one_lets_nobody_in),
		CASE(a_revoked_one_lets_nobody_in),
		CASE(the_switch_overrides_the_setting),
		CASE(the_switch_knows_four_words),
		CASE(only_an_administrator_admits),
		CASE(run_again_it_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
