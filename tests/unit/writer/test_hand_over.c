/* writer/hand_over: who administers the server gives a group another owner, and only while its owner cannot log in. */
#include "support/writing.h"

struct fixture {
	struct test_database *test;
	struct batch_runner runner;
	char ada[ID_SIZE], bob[1][ID_SIZE], eve[1][ID_SIZE];
	char group_id[ID_SIZE]; /* of Ada, with Bob */
	struct write_group write;
};

static struct write_op *
run(struct fixture *fixture, struct write_group write)
{
	struct write_op *op = &fixture->write.op;

	arena_finish(&op->arena);
	write.op.kind = WRITE_GROUP;
	if (!write.op.conversation_id)
		write.op.conversation_id = fixture->group_id;
	fixture->write = write;
	batch_run(&fixture->runner, &op, 1);
	assert_false(db_in_transaction(fixture->test->db));
	return op;
}

static struct write_op *
hand_over(struct fixture *fixture, char (*heir)[ID_SIZE])
{
	return run(fixture, (struct write_group){.action = GROUP_HAND_OVER,
						 .by = {.name = "operator:test", .session_id = ""},
						 .user_ids = (const char(*)[ID_SIZE])heir,
						 .n_user_ids = 1});
}

static void
disable(struct fixture *fixture, const char *statement)
{
	test_database_run(fixture->test, statement);
}

static int64_t
number(struct fixture *fixture, const char *sql)
{
	return test_database_int64(fixture->test, sql);
}

static int
set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	struct write_group write = {.action = GROUP_CREATE, .title = "Tea", .n_user_ids = 1};

	assert_int_equal(test_database_setup((void **)&fixture->test), 0);
	fixture->runner.db = fixture->test->db;
	add_person(fixture->test, "ada", fixture->ada);
	add_person(fixture->test, "bob", fixture->bob[0]);
	add_person(fixture->test, "eve", fixture->eve[0]);
	id_make(fixture->group_id);
	memcpy(write.actor_id, fixture->ada, ID_SIZE);
	write.user_ids = (const char(*)[ID_SIZE])fixture->bob;
	check_status(run(fixture, write)->status, OK);
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
an_owner_who_can_log_in_keeps_it(void **state)
{
	struct fixture *fixture = *state;

	assert_refused(hand_over(fixture, fixture->bob), ERR_CONFLICT, "owner_active");
	assert_refused(hand_over(fixture, fixture->eve), ERR_CONFLICT,
		       "owner_active"); /* not told that Eve is not in it */
	assert_int_equal(number(fixture, "SELECT last_rev FROM conversations"), 1);
	assert_int_equal(number(fixture, "SELECT count(*) FROM audit"), 0);
}

static void
it_is_one_revision_and_one_row_of_the_audit(void **state)
{
	struct fixture *fixture = *state;

	disable(fixture, "UPDATE users SET disabled_at = 1 WHERE username = 'ada'");
	check_status(hand_over(fixture, fixture->bob)->status, OK);
	assert_int_equal(fixture->write.n_members, 2);
	assert_string_equal(fixture->write.members[0].role, "owner");
	assert_string_equal(fixture->write.members[0].user_id, fixture->bob[0]);
	assert_string_equal(fixture->write.members[1].role, "admin");
	assert_int_equal(number(fixture, "SELECT last_rev FROM conversations"), 2);
	assert_int_equal(number(fixture, "SELECT count(*) FROM members WHERE rev = 2 AND user_rev = 2"), 2);
	assert_int_equal(number(fixture, "SELECT count(*) FROM users WHERE last_rev = 2"), 2);
	assert_int_equal(number(fixture, "SELECT count(*) FROM members WHERE role = 'owner'"), 1);
	assert_int_equal(number(fixture, "SELECT count(*) FROM audit WHERE action = 'conversation.handed_over'"), 1);
}

static void
again_is_no_act(void **state)
{
	struct fixture *fixture = *state;

	disable(fixture, "UPDATE users SET disabled_at = 1 WHERE username = 'ada'");
	check_status(hand_over(fixture, fixture->bob)->status, OK);
	check_status(hand_over(fixture, fixture->bob)->status, OK);
	assert_true(fixture->write.unchanged);
	assert_int_equal(fixture->write.n_members, 0);
	assert_int_equal(number(fixture, "SELECT last_rev FROM conversations"), 2);
	assert_int_equal(number(fixture, "SELECT count(*) FROM audit"), 1);
}

static void
the_next_owner_is_a_member_who_can_log_in(void **state)
{
	struct fixture *fixture = *state;

	disable(fixture, "UPDATE users SET disabled_at = 1");
	assert_refused(hand_over(fixture, fixture->eve), ERR_NOT_FOUND, "member_not_found");
	assert_refused(hand_over(fixture, fixture->bob), ERR_INVALID, "user_unavailable");
	assert_int_equal(number(fixture, "SELECT last_rev FROM conversations"), 1);
}

static void
only_groups_that_are_there_have_an_owner(void **state)
{
	struct fixture *fixture = *state;
	struct write_send_message send;
	struct write_op *op = &send.op;
	struct write_group write = {.action = GROUP_HAND_OVER,
				    .by = {.name = "operator:test", .session_id = ""},
				    .n_user_ids = 1};

	make_direct_send(&send, fixture->ada, fixture->bob[0], NULL, "hello");
	batch_run(&fixture->runner, &op, 1);
	write.op.conversation_id = send.draft.conversation_id;
	write.user_ids = (const char(*)[ID_SIZE])fixture->bob;
	assert_refused(run(fixture, write), ERR_CONFLICT, "not_a_group");
	arena_finish(&send.op.arena);
	disable(fixture, "UPDATE conversations SET deleted_at = 1");
	assert_refused(hand_over(fixture, fixture->bob), ERR_NOT_FOUND, "conversation_not_found");
}

static void
who_does_not_administer_may_not(void **state)
{
	struct fixture *fixture = *state;
	struct write_group write = {.action = GROUP_HAND_OVER, .n_user_ids = 1};

	disable(fixture, "UPDATE users SET disabled_at = 1 WHERE username = 'ada'");
	disable(fixture,
		"INSERT INTO sessions (id, user_id, family_hash, refresh_hash, created_at, last_used_at, expires_at)"
		" SELECT 'a session', id, 'f', 'r', 1, 1, 9000000000000 FROM users WHERE username = 'bob'");
	write.by = (struct write_actor){.name = fixture->bob[0], .session_id = "a session"};
	write.user_ids = (const char(*)[ID_SIZE])fixture->bob;
	assert_refused(run(fixture, write), ERR_FORBIDDEN, "admin_required");
	assert_int_equal(number(fixture, "SELECT last_rev FROM conversations"), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_owner_who_can_log_in_keeps_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(it_is_one_revision_and_one_row_of_the_audit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(again_is_no_act, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_next_owner_is_a_member_who_can_log_in, set_up, tear_down),
		cmocka_unit_test_setup_teardown(only_groups_that_are_there_have_an_owner, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_does_not_administer_may_not, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
