/* Acts on accounts in the transaction itself: who may, what is noted, and that the last administrator stays. */
#include "accounts_fixture.h"

#include "store/accounts.h"
#include "store/audit.h"

/* Ada is the first person and so the administrator. */
static struct write_administer
act_by_operator(const char *user_id)
{
	struct write_administer write = {.op.kind = WRITE_ADMINISTER, .by = OPERATOR};

	memcpy(write.user_id, user_id, ID_SIZE);
	return write;
}

static void
run_act(struct fixture *fixture, struct write_administer *write)
{
	run_one(fixture, &write->op);
	arena_finish(&write->op.arena);
}

static void
last_admin_stays(void **state)
{
	struct fixture *fixture = *state;
	struct write_administer acts[3];

	for (size_t i = 0; i < 3; i++)
		acts[i] = act_by_operator(fixture->ada);
	acts[0].set_disabled = acts[0].disabled = true;
	acts[1].role = "member";
	acts[2].act = ADMINISTER_DELETE;
	for (size_t i = 0; i < 3; i++) {
		run_act(fixture, &acts[i]);
		check_status(acts[i].op.status, ERR_CONFLICT);
		assert_string_equal(acts[i].op.fault.code, "last_admin");
	}
	assert_int_equal(count(fixture, "SELECT count(*) FROM audit"), 0);
}

static void
disabled_admin_does_not_count(void **state)
{
	struct fixture *fixture = *state;
	char bob[ID_SIZE];
	struct write_administer act;

	add_person(fixture->test, "bob", bob);
	act = act_by_operator(bob);
	act.role = "admin";
	run_act(fixture, &act);
	act = act_by_operator(bob);
	act.set_disabled = act.disabled = true;
	run_act(fixture, &act);
	check_status(act.op.status, OK);
	act = act_by_operator(fixture->ada);
	act.role = "member";
	run_act(fixture, &act);
	assert_string_equal(act.op.fault.code, "last_admin");
	assert_int_equal(count(fixture, "SELECT count(*) FROM audit"), 2);
}

static void
each_log_in_that_ends_is_a_revision(void **state)
{
	struct fixture *fixture = *state;
	char bob[ID_SIZE];
	struct write_administer act;

	add_person(fixture->test, "bob", bob);
	act = act_by_operator(bob);
	act.role = "admin";
	run_act(fixture, &act);
	log_in(fixture, "h0");
	log_in(fixture, "h1");
	act = act_by_operator(fixture->ada);
	act.set_disabled = act.disabled = true;
	run_act(fixture, &act);
	assert_int_equal(person_rev(fixture), 2);
	assert_int_equal(count(fixture, "SELECT count(DISTINCT user_rev) FROM sessions WHERE revoked_at IS NOT NULL"),
			 2);
	run_act(fixture, &act);
	check_status(act.op.status, OK);
	assert_int_equal(person_rev(fixture), 2);
	assert_int_equal(count(fixture, "SELECT count(*) FROM audit WHERE action = 'user.disabled'"), 1);
}

static void
member_may_not(void **state)
{
	struct fixture *fixture = *state;
	struct login_session session;
	struct write_administer act;
	char bob[ID_SIZE];

	add_person(fixture->test, "bob", bob);
	insert_session(fixture, bob, "of bob", &session);
	act = act_by_operator(bob);
	act.role = "admin";
	act.by = acting(&session);
	run_act(fixture, &act);
	check_status(act.op.status, ERR_FORBIDDEN);
	assert_string_equal(act.op.fault.code, "admin_required");
}

static void
erased_name_stays_taken(void **state)
{
	struct fixture *fixture = *state;
	struct write_administer act;
	struct user user;
	char bob[ID_SIZE];

	add_person(fixture->test, "bob", bob);
	act = act_by_operator(bob);
	act.act = ADMINISTER_DELETE;
	run_act(fixture, &act);
	check_status(act.op.status, OK);
	check_ok(fixture->test, accounts_find(fixture->test->db, &fixture->test->arena, "bob", &user));
	assert_string_equal(user.username, "deleted");
	assert_true(user.deleted_at_ms > 0);
	run_act(fixture, &act);
	check_status(act.op.status, OK);
	assert_int_equal(count(fixture, "SELECT count(*) FROM audit"), 1);
}

/* How many acts have been noted, and which was the newest. */
static void
assert_noted(struct fixture *fixture, int64_t n, const char *action)
{
	struct audit_entry *entries;
	size_t n_entries;
	bool more;

	check_ok(fixture->test, audit_list(fixture->test->db, &fixture->test->arena, &(struct audit_filter){"", "", ""},
					   NULL, 100, &entries, &n_entries, &more));
	assert_int_equal(n_entries, n);
	assert_string_equal(entries[0].action, action);
}

static void
administrator_with_a_log_in_may(void **state)
{
	struct fixture *fixture = *state;
	struct login_session session;
	struct write_administer act;
	char bob[ID_SIZE];

	add_person(fixture->test, "bob", bob);
	insert_session(fixture, fixture->ada, "of ada", &session);
	act = act_by_operator(bob);
	act.by = acting(&session);
	act.role = "admin";
	run_act(fixture, &act);
	check_status(act.op.status, OK);
	assert_string_equal(act.user.role, "admin");
	assert_noted(fixture, 1, "user.role_changed");
	assert_int_equal(count(fixture,
			       "SELECT count(*) FROM audit WHERE request_id = 'request-1'"
			       " AND address = '127.0.0.1' AND detail = '{\"from\":\"member\",\"to\":\"admin\"}'"
			       " AND actor = (SELECT id FROM users WHERE username = 'ada')"
			       " AND target = (SELECT id FROM users WHERE username = 'bob')"),
			 1);
	run_act(fixture, &act); /* so already */
	check_status(act.op.status, OK);
	assert_noted(fixture, 1, "user.role_changed");
}

/* Whatever the door saw before: the log-in, and the role, are looked at in the transaction. */
static void
actor_is_asked_in_the_transaction(void **state)
{
	static const struct {
		const char *end, *code;
		enum status status;
	} cases[] = {
		{"UPDATE users SET role = 'member' WHERE username = 'ada'", "admin_required", ERR_FORBIDDEN},
		{"UPDATE sessions SET revoked_at = 1", "session_ended", ERR_UNAUTHORIZED},
	};
	struct fixture *fixture = *state;
	struct login_session session;
	struct write_administer act;
	char bob[ID_SIZE];

	add_person(fixture->test, "bob", bob);
	insert_session(fixture, fixture->ada, "of ada", &session);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		test_database_run(fixture->test, cases[i].end);
		for (int kind = ADMINISTER_UPDATE; kind <= ADMINISTER_DELETE; kind++) {
			act = act_by_operator(bob);
			act.act = kind;
			act.by = acting(&session);
			act.set_disabled = act.disabled = true;
			act.password_hash = "$another";
			run_act(fixture, &act);
			assert_refused(&act.op, cases[i].status, cases[i].code);
		}
	}
	assert_int_equal(count(fixture, "SELECT count(*) FROM users WHERE username = 'bob' AND disabled_at IS NULL"
					" AND deleted_at IS NULL AND password_hash = '$hash'"),
			 1);
	assert_int_equal(count(fixture, "SELECT count(*) FROM audit"), 0);
}

static void
reset_password_ends_all_log_ins(void **state)
{
	struct fixture *fixture = *state;
	struct write_administer act = act_by_operator(fixture->ada);

	log_in(fixture, "h0");
	log_in(fixture, "h1");
	act.act = ADMINISTER_RESET;
	act.password_hash = "$one-time";
	run_act(fixture, &act);
	check_status(act.op.status, OK);
	assert_true(act.user.must_change_password);
	assert_int_equal(count(fixture, "SELECT count(*) FROM sessions WHERE revoked_at IS NULL"), 0);
	assert_int_equal(count(fixture, "SELECT count(*) FROM users WHERE password_hash = '$one-time'"
					" AND must_change_password"),
			 1);
	assert_int_equal(person_rev(fixture), 2);
	assert_noted(fixture, 1, "user.password_reset");
}

static void
disabling_is_undone(void **state)
{
	struct fixture *fixture = *state;
	struct write_administer act;
	char bob[ID_SIZE];

	add_person(fixture->test, "bob", bob);
	act = act_by_operator(bob);
	act.set_disabled = act.disabled = true;
	run_act(fixture, &act);
	assert_true(act.user.disabled_at_ms > 0);
	act.disabled = false;
	run_act(fixture, &act);
	check_status(act.op.status, OK);
	assert_int_equal(act.user.disabled_at_ms, 0);
	assert_int_equal(count(fixture, "SELECT count(*) FROM users WHERE disabled_at IS NOT NULL"), 0);
	assert_noted(fixture, 2, "user.enabled");
}

/* Both were an administrator when the batch began. */
static void
two_who_depose_each_other_leave_one(void **state)
{
	struct fixture *fixture = *state;
	struct write_administer acts[2];
	struct write_op *ops[] = {&acts[0].op, &acts[1].op};
	char bob[ID_SIZE];

	add_person(fixture->test, "bob", bob);
	test_database_run(fixture->test, "UPDATE users SET role = 'admin'");
	acts[0] = act_by_operator(bob);
	acts[1] = act_by_operator(fixture->ada);
	acts[0].role = acts[1].role = "member";
	batch_run(&fixture->runner, ops, 2);
	check_status(acts[0].op.status, OK);
	assert_refused(&acts[1].op, ERR_CONFLICT, "last_admin");
	assert_int_equal(count(fixture, "SELECT count(*) FROM users WHERE role = 'admin'"), 1);
	arena_finish(&acts[0].op.arena);
	arena_finish(&acts[1].op.arena);
}

static void
nobody_is_not_found(void **state)
{
	struct fixture *fixture = *state;
	struct write_administer act;
	char bob[ID_SIZE], nobody[ID_SIZE];

	id_make(nobody);
	act = act_by_operator(nobody);
	act.role = "admin";
	run_act(fixture, &act);
	assert_refused(&act.op, ERR_NOT_FOUND, "user_not_found");
	add_person(fixture->test, "bob", bob);
	act = act_by_operator(bob);
	act.act = ADMINISTER_DELETE;
	run_act(fixture, &act);
	act.act = ADMINISTER_RESET;
	act.password_hash = "$another";
	run_act(fixture, &act);
	assert_refused(&act.op, ERR_NOT_FOUND, "user_not_found");
	assert_int_equal(count(fixture, "SELECT count(*) FROM users WHERE password_hash = '$another'"), 0);
	assert_noted(fixture, 1, "user.deleted");
}

static void
one_deletes_oneself_with_the_password(void **state)
{
	struct fixture *fixture = *state;
	struct login_session session;
	struct write_administer act;
	char bob[ID_SIZE];

	add_person(fixture->test, "bob", bob);
	insert_session(fixture, bob, "of bob", &session);
	act = act_by_operator(bob);
	act.act = ADMINISTER_DELETE;
	act.by = acting(&session);
	act.verified_hash = "$an old one";
	run_act(fixture, &act);
	assert_refused(&act.op, ERR_CONFLICT, "password_changed");
	memcpy(act.user_id, fixture->ada, ID_SIZE); /* somebody else's log-in, whatever the password */
	act.verified_hash = "$hash";
	run_act(fixture, &act);
	assert_refused(&act.op, ERR_UNAUTHORIZED, "session_ended");
	assert_int_equal(count(fixture, "SELECT count(*) FROM users WHERE deleted_at IS NOT NULL"), 0);
	memcpy(act.user_id, bob, ID_SIZE);
	run_act(fixture, &act);
	check_status(act.op.status, OK);
	assert_noted(fixture, 1, "user.deleted");
	run_act(fixture, &act); /* the log-in has ended with the account */
	assert_refused(&act.op, ERR_UNAUTHORIZED, "session_ended");
	assert_noted(fixture, 1, "user.deleted");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(last_admin_stays),
		CASE(disabled_admin_does_not_count),
		CASE(each_log_in_that_ends_is_a_revision),
		CASE(member_may_not),
		CASE(erased_name_stays_taken),
		CASE(administrator_with_a_log_in_may),
		CASE(actor_is_asked_in_the_transaction),
		CASE(reset_password_ends_all_log_ins),
		CASE(disabling_is_undone),
		CASE(two_who_depose_each_other_leave_one),
		CASE(nobody_is_not_found),
		CASE(one_deletes_oneself_with_the_password),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
