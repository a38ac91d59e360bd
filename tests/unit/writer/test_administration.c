/* Acts on accounts in the transaction itself: who may, what is noted, and that the last administrator stays. */
#include "accounts_fixture.h"

#include "store/accounts.h"

static int64_t
count(struct fixture *fixture, const char *sql)
{
	return test_database_int64(fixture->test, sql);
}

/* Ada is the first person and so the administrator. */
static struct write_administer
act_by_operator(const char *user_id)
{
	struct write_administer write = {.op.kind = WRITE_ADMINISTER,
					 .by = {.name = "operator:test", .session_id = ""}};

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
	make_session(&session, bob, "of bob");
	check_ok(fixture->test, db_begin(fixture->test->db, DB_WRITE));
	check_ok(fixture->test, sessions_insert(fixture->test->db, &session));
	check_ok(fixture->test, db_commit(fixture->test->db, NULL));
	act = act_by_operator(bob);
	act.role = "admin";
	act.by.name = bob;
	act.by.session_id = session.id;
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(last_admin_stays), CASE(disabled_admin_does_not_count), CASE(each_log_in_that_ends_is_a_revision),
		CASE(member_may_not),   CASE(erased_name_stays_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
