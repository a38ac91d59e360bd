/* writer/group: the life of a group and of its memberships, each request one revision of the conversation's stream and one of each
 * concerned person's. */
#include "support/redis_server.h"
#include "support/writing.h"

struct fixture {
	struct test_database *test;
	struct batch_runner runner;
	char ada[1][ID_SIZE], bob[1][ID_SIZE], eve[1][ID_SIZE];
	char group_id[ID_SIZE]; /* of Ada, with Bob */
	struct write_group write;
};

static const struct write_group *
run(struct fixture *fixture, const char *actor_id, struct write_group write)
{
	struct write_op *op = &fixture->write.op;

	arena_finish(&fixture->write.op.arena);
	write.op.kind = WRITE_GROUP;
	write.op.conversation_id = fixture->group_id;
	memcpy(write.actor_id, actor_id, ID_SIZE);
	fixture->write = write;
	batch_run(&fixture->runner, &op, 1);
	assert_false(db_in_transaction(fixture->test->db));
	return &fixture->write;
}

static const char (*people(char (*ids)[ID_SIZE]))[ID_SIZE]
{
	return (const char(*)[ID_SIZE])ids;
}

static struct write_group
creation(struct fixture *fixture)
{
	return (struct write_group){.action = GROUP_CREATE,
				    .title = "Tea",
				    .user_ids = people(fixture->bob),
				    .n_user_ids = 1};
}

static struct write_group
of_one(enum group_action action, char (*person)[ID_SIZE])
{
	return (struct write_group){.action = action,
				    .slow_mode_s = GROUP_SLOW_MODE_KEPT,
				    .user_ids = people(person),
				    .n_user_ids = person ? 1 : 0};
}

static int64_t
head(struct fixture *fixture)
{
	return test_database_int64(fixture->test, "SELECT last_rev FROM conversations");
}

static int64_t
count(struct fixture *fixture)
{
	return test_database_int64(fixture->test, "SELECT member_count FROM conversations");
}

static int
set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);

	assert_int_equal(test_database_setup((void **)&fixture->test), 0);
	fixture->runner.db = fixture->test->db;
	add_person(fixture->test, "ada", fixture->ada[0]);
	add_person(fixture->test, "bob", fixture->bob[0]);
	add_person(fixture->test, "eve", fixture->eve[0]);
	id_make(fixture->group_id);
	assert_int_equal(run(fixture, fixture->ada[0], creation(fixture))->op.status, OK);
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
one_request_is_one_revision(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(head(fixture), 1);
	assert_int_equal(count(fixture), 2);
	assert_int_equal(fixture->write.n_members, 2);
	assert_string_equal(fixture->write.members[0].role, "owner");
	assert_string_equal(fixture->write.members[1].role, "member");
	run(fixture, fixture->ada[0], of_one(GROUP_ADD, fixture->eve));
	assert_int_equal(head(fixture), 2);
	assert_int_equal(count(fixture), 3);
	assert_int_equal(test_database_int64(fixture->test, "SELECT max(last_rev) FROM users"), 1);
}

static void
what_is_so_already_uses_no_revision(void **state)
{
	struct fixture *fixture = *state;

	assert_true(run(fixture, fixture->ada[0], creation(fixture))->unchanged);
	assert_int_equal(fixture->write.op.status, OK);
	assert_true(run(fixture, fixture->ada[0], of_one(GROUP_ADD, fixture->bob))->unchanged);
	assert_true(run(fixture, fixture->ada[0], of_one(GROUP_UPDATE, NULL))->unchanged);
	assert_int_equal(head(fixture), 1);
	assert_int_equal(count(fixture), 2);
}

static void
an_id_is_one_group_for_ever(void **state)
{
	struct fixture *fixture = *state;

	assert_refused(&run(fixture, fixture->bob[0], creation(fixture))->op, ERR_CONFLICT, "id_reused");
	assert_int_equal(head(fixture), 1);
}

static void
roles_decide(void **state)
{
	struct fixture *fixture = *state;
	struct write_group promotion = of_one(GROUP_SET_ROLE, fixture->bob);

	promotion.role = "admin";
	assert_refused(&run(fixture, fixture->bob[0], of_one(GROUP_ADD, fixture->eve))->op, ERR_FORBIDDEN,
		       "role_too_low");
	assert_refused(&run(fixture, fixture->bob[0], of_one(GROUP_REMOVE, fixture->ada))->op, ERR_FORBIDDEN,
		       "role_too_low");
	assert_refused(&run(fixture, fixture->bob[0], promotion)->op, ERR_FORBIDDEN, "role_too_low");
	assert_refused(&run(fixture, fixture->eve[0], of_one(GROUP_ADD, fixture->eve))->op, ERR_NOT_FOUND,
		       "conversation_not_found");
	assert_int_equal(head(fixture), 1);
	assert_int_equal(run(fixture, fixture->ada[0], promotion)->op.status, OK);
	assert_int_equal(run(fixture, fixture->bob[0], of_one(GROUP_ADD, fixture->eve))->op.status, OK);
	assert_int_equal(head(fixture), 3);
}

static void
a_group_keeps_an_owner(void **state)
{
	struct fixture *fixture = *state;
	struct write_group handover = of_one(GROUP_SET_ROLE, fixture->bob);

	handover.role = "owner";
	assert_refused(&run(fixture, fixture->ada[0], of_one(GROUP_REMOVE, fixture->ada))->op, ERR_CONFLICT,
		       "last_owner");
	assert_int_equal(run(fixture, fixture->ada[0], handover)->op.status, OK);
	assert_int_equal(fixture->write.n_members, 2);
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(*) FROM members WHERE role = 'owner'"), 1);
	assert_int_equal(run(fixture, fixture->ada[0], of_one(GROUP_REMOVE, fixture->ada))->op.status, OK);
	assert_int_equal(count(fixture), 1);
	assert_int_equal(head(fixture), 3);
}

static void
who_leaves_and_comes_back_is_one_row(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(run(fixture, fixture->bob[0], of_one(GROUP_REMOVE, fixture->bob))->op.status, OK);
	assert_true(fixture->write.members[0].left_at_ms > 0);
	assert_refused(&run(fixture, fixture->bob[0], of_one(GROUP_REMOVE, fixture->bob))->op, ERR_NOT_FOUND,
		       "conversation_not_found");
	assert_true(run(fixture, fixture->ada[0], of_one(GROUP_REMOVE, fixture->bob))->unchanged);
	assert_int_equal(run(fixture, fixture->ada[0], of_one(GROUP_ADD, fixture->bob))->op.status, OK);
	assert_int_equal(count(fixture), 2);
	assert_int_equal(head(fixture), 3);
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(*) FROM members"), 2);
	assert_int_equal(test_database_int64(fixture->test, "SELECT last_rev FROM users WHERE username = 'bob'"), 3);
}

static void
nobody_who_is_away_is_added(void **state)
{
	struct fixture *fixture = *state;

	test_database_run(fixture->test, "UPDATE users SET disabled_at = 1 WHERE username = 'eve'");
	assert_refused(&run(fixture, fixture->ada[0], of_one(GROUP_ADD, fixture->eve))->op, ERR_INVALID,
		       "user_unavailable");
	test_database_run(fixture->test, "UPDATE users SET disabled_at = NULL");
	test_database_run(fixture->test, "UPDATE conversations SET member_count = 10000");
	assert_refused(&run(fixture, fixture->ada[0], of_one(GROUP_ADD, fixture->eve))->op, ERR_CONFLICT,
		       "conversation_full");
	assert_int_equal(head(fixture), 1);
}

static void
a_deleted_one_tells_everybody(void **state)
{
	struct fixture *fixture = *state;

	assert_refused(&run(fixture, fixture->bob[0], of_one(GROUP_DELETE, NULL))->op, ERR_FORBIDDEN, "role_too_low");
	assert_int_equal(run(fixture, fixture->ada[0], of_one(GROUP_DELETE, NULL))->op.status, OK);
	assert_int_equal(head(fixture), 2);
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(*) FROM members WHERE user_rev = 2"), 2);
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(*) FROM members WHERE rev = 1"), 2);
	assert_refused(&run(fixture, fixture->ada[0], of_one(GROUP_ADD, fixture->eve))->op, ERR_NOT_FOUND,
		       "conversation_not_found");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_request_is_one_revision, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_so_already_uses_no_revision, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_id_is_one_group_for_ever, set_up, tear_down),
		cmocka_unit_test_setup_teardown(roles_decide, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_group_keeps_an_owner, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_leaves_and_comes_back_is_one_row, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nobody_who_is_away_is_added, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_deleted_one_tells_everybody, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
