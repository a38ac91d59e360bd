/* writer/block and writer/mute: what a person sets for themselves is a change of their stream alone. */
#include "support/redis_server.h"
#include "support/writing.h"

struct fixture {
	struct test_database *test;
	struct batch_runner runner;
	char ada[ID_SIZE], bob[ID_SIZE], talk[ID_SIZE];
	struct write_block block;
	struct write_mute mute;
};

static void
run_one(struct fixture *fixture, struct write_op *op)
{
	batch_run(&fixture->runner, &op, 1);
	assert_false(db_in_transaction(fixture->test->db));
}

static const struct write_op *
say(struct fixture *fixture, struct write_send_message *send, const char *from, const char *to)
{
	make_direct_send(send, from, to, NULL, "word");
	run_one(fixture, &send->op);
	arena_finish(&send->op.arena);
	return &send->op;
}

static const struct write_op *
set_block(struct fixture *fixture, const char *user_id, const char *other_id, bool blocked)
{
	arena_finish(&fixture->block.op.arena);
	fixture->block = (struct write_block){.op.kind = WRITE_BLOCK, .block.blocked = blocked};
	memcpy(fixture->block.user_id, user_id, ID_SIZE);
	memcpy(fixture->block.block.user_id, other_id, ID_SIZE);
	run_one(fixture, &fixture->block.op);
	return &fixture->block.op;
}

static const struct write_op *
set_mute(struct fixture *fixture, const char *user_id, int64_t until_ms)
{
	arena_finish(&fixture->mute.op.arena);
	fixture->mute = (struct write_mute){.op.kind = WRITE_MUTE, .until_ms = until_ms};
	memcpy(fixture->mute.conversation_id, fixture->talk, ID_SIZE);
	memcpy(fixture->mute.user_id, user_id, ID_SIZE);
	fixture->mute.op.conversation_id = fixture->mute.conversation_id;
	run_one(fixture, &fixture->mute.op);
	return &fixture->mute.op;
}

static int64_t
rev_of(struct fixture *fixture, const char *sql)
{
	return test_database_int64(fixture->test, sql);
}
#define ADAS_REV "SELECT last_rev FROM users WHERE username = 'ada'"
#define BOBS_REV "SELECT last_rev FROM users WHERE username = 'bob'"

static int
set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	struct write_send_message send;

	assert_int_equal(test_database_setup((void **)&fixture->test), 0);
	fixture->runner.db = fixture->test->db;
	add_person(fixture->test, "ada", fixture->ada);
	add_person(fixture->test, "bob", fixture->bob);
	id_direct_conversation(fixture->ada, fixture->bob, fixture->talk);
	assert_int_equal(say(fixture, &send, fixture->ada, fixture->bob)->status, OK);
	*state = fixture;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *fixture = *state;

	arena_finish(&fixture->block.op.arena);
	arena_finish(&fixture->mute.op.arena);
	test_database_teardown((void **)&fixture->test);
	free(fixture);
	return 0;
}

static void
a_block_stops_one_way(void **state)
{
	struct fixture *fixture = *state;
	struct write_send_message send;

	assert_int_equal(set_block(fixture, fixture->ada, fixture->bob, true)->status, OK);
	assert_refused(say(fixture, &send, fixture->bob, fixture->ada), ERR_NOT_FOUND, "user_not_found");
	assert_int_equal(say(fixture, &send, fixture->ada, fixture->bob)->status, OK);
	assert_int_equal(set_block(fixture, fixture->ada, fixture->bob, false)->status, OK);
	assert_int_equal(say(fixture, &send, fixture->bob, fixture->ada)->status, OK);
}

static void
a_block_is_the_persons_own_change(void **state)
{
	struct fixture *fixture = *state;

	set_block(fixture, fixture->ada, fixture->bob, true);
	assert_int_equal(rev_of(fixture, ADAS_REV), 2);
	set_block(fixture, fixture->ada, fixture->bob, true); /* so already */
	assert_int_equal(rev_of(fixture, ADAS_REV), 2);
	set_block(fixture, fixture->ada, fixture->bob, false);
	assert_int_equal(rev_of(fixture, ADAS_REV), 3);
	assert_int_equal(rev_of(fixture, "SELECT user_rev FROM blocks"), 3); /* the lifted one stays */
	assert_int_equal(rev_of(fixture, BOBS_REV), 1);
}

static void
nobody_and_oneself_are_not_blocked(void **state)
{
	struct fixture *fixture = *state;
	char nobody[ID_SIZE];

	id_make(nobody);
	assert_refused(set_block(fixture, fixture->ada, nobody, true), ERR_NOT_FOUND, "user_not_found");
	assert_refused(set_block(fixture, fixture->ada, fixture->ada, true), ERR_INVALID, "block_oneself");
	assert_int_equal(rev_of(fixture, ADAS_REV), 1);
}

static void
muting_is_the_persons_own_change(void **state)
{
	struct fixture *fixture = *state;
	char nobody[ID_SIZE];

	id_make(nobody);
	assert_int_equal(set_mute(fixture, fixture->ada, 4000000000000)->status, OK);
	assert_int_equal(rev_of(fixture, ADAS_REV), 2);
	assert_int_equal(rev_of(fixture, "SELECT max(muted_until) FROM members"), 4000000000000);
	set_mute(fixture, fixture->ada, 4000000000000);
	assert_int_equal(rev_of(fixture, ADAS_REV), 2);
	assert_int_equal(set_mute(fixture, fixture->ada, 0)->status, OK);
	assert_int_equal(rev_of(fixture, ADAS_REV), 3);
	assert_refused(set_mute(fixture, nobody, 0), ERR_NOT_FOUND, "conversation_not_found");
	assert_int_equal(rev_of(fixture, BOBS_REV), 1);
	assert_int_equal(rev_of(fixture, "SELECT last_rev FROM conversations"), 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_block_stops_one_way, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_block_is_the_persons_own_change, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nobody_and_oneself_are_not_blocked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(muting_is_the_persons_own_change, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
