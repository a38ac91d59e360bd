/* writer/direct: a direct conversation made on request is made once, with both people in it. */
#include "support/writing.h"

struct fixture {
	struct test_database *test;
	struct batch_runner runner;
	char ada[ID_SIZE], bob[ID_SIZE];
};

static int
set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);

	assert_int_equal(test_database_setup((void **)&fixture->test), 0);
	fixture->runner.db = fixture->test->db;
	add_person(fixture->test, "ada", fixture->ada);
	add_person(fixture->test, "bob", fixture->bob);
	*state = fixture;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *fixture = *state;

	test_database_teardown((void **)&fixture->test);
	free(fixture);
	return 0;
}

/* `conversation_id` is where the operation's id is kept. */
static void
prepare(struct write_direct *ret_write, const char *user_id, const char *other_id, char conversation_id[ID_SIZE])
{
	id_direct_conversation(user_id, other_id, conversation_id);
	*ret_write = (struct write_direct){.op = {.kind = WRITE_ENSURE_DIRECT, .conversation_id = conversation_id}};
	memcpy(ret_write->user_id, user_id, ID_SIZE);
	memcpy(ret_write->other_id, other_id, ID_SIZE);
}

static struct write_direct
ensure(struct fixture *fixture, const char *user_id, const char *other_id)
{
	char conversation_id[ID_SIZE];
	struct write_direct write;
	struct write_op *op = &write.op;

	prepare(&write, user_id, other_id, conversation_id);
	batch_run(&fixture->runner, &op, 1);
	assert_false(db_in_transaction(fixture->test->db));
	arena_finish(&write.op.arena);
	return write;
}

static void
twins_of_one_batch_make_one(void **state)
{
	struct fixture *fixture = *state;
	char ids[3][ID_SIZE];
	struct write_direct writes[3];
	struct write_op *ops[3];

	for (int i = 0; i < 3; i++) {
		bool by_ada = i != 1;

		prepare(&writes[i], by_ada ? fixture->ada : fixture->bob, by_ada ? fixture->bob : fixture->ada, ids[i]);
		ops[i] = &writes[i].op;
	}
	batch_run(&fixture->runner, ops, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(writes[i].op.status, OK);
		assert_int_equal(writes[i].created, i == 0);
		arena_finish(&writes[i].op.arena);
	}
	assert_false(ensure(fixture, fixture->bob, fixture->ada).created);
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(*) FROM conversations"), 1);
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(*) FROM members"), 2);
	assert_int_equal(test_database_int64(fixture->test, "SELECT sum(last_rev) FROM users"), 2);
	assert_int_equal(test_database_int64(fixture->test, "SELECT last_rev FROM conversations"), 1);
}

static void
a_message_goes_into_what_was_made(void **state)
{
	struct fixture *fixture = *state;
	struct write_send_message send;
	struct write_op *op = &send.op;

	assert_true(ensure(fixture, fixture->ada, fixture->bob).created);
	make_direct_send(&send, fixture->bob, fixture->ada, NULL, "hello");
	batch_run(&fixture->runner, &op, 1);
	assert_stored(&send, 1, 2);
	arena_finish(&send.op.arena);
}

static void
notes_to_oneself_have_one_member(void **state)
{
	struct fixture *fixture = *state;

	assert_true(ensure(fixture, fixture->ada, fixture->ada).created);
	assert_false(ensure(fixture, fixture->ada, fixture->ada).created);
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(*) FROM members"), 1);
}

static void
what_is_there_is_found_whatever_became_of_the_other(void **state)
{
	struct fixture *fixture = *state;
	struct write_direct write;

	assert_true(ensure(fixture, fixture->ada, fixture->bob).created);
	test_database_run(fixture->test, "UPDATE users SET disabled_at = 1 WHERE username = 'bob'");
	write = ensure(fixture, fixture->ada, fixture->bob);
	assert_int_equal(write.op.status, OK);
	assert_false(write.created);
}

static void
nobody_is_nobody(void **state)
{
	static const char *const ends[] = {
		"UPDATE users SET disabled_at = 1 WHERE username = 'bob'",
		"UPDATE users SET deleted_at = 1 WHERE username = 'bob'",
	};
	struct fixture *fixture = *state;
	char unknown[ID_SIZE];
	struct write_direct write;

	id_make(unknown);
	write = ensure(fixture, fixture->ada, unknown);
	assert_refused(&write.op, ERR_NOT_FOUND, "user_not_found");
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		test_database_run(fixture->test, ends[i]);
		write = ensure(fixture, fixture->ada, fixture->bob);
		assert_refused(&write.op, ERR_NOT_FOUND, "user_not_found");
		test_database_run(fixture->test, "UPDATE users SET disabled_at = NULL");
	}
	test_database_run(fixture->test, "UPDATE users SET deleted_at = NULL;"
					 "UPDATE users SET deleted_at = 1 WHERE username = 'ada'");
	write = ensure(fixture, fixture->ada, fixture->bob);
	assert_refused(&write.op, ERR_UNAUTHORIZED, "session_ended");
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(*) FROM conversations"), 0);
	assert_int_equal(test_database_int64(fixture->test, "SELECT sum(last_rev) FROM users"), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(twins_of_one_batch_make_one),
		CASE(a_message_goes_into_what_was_made),
		CASE(notes_to_oneself_have_one_member),
		CASE(what_is_there_is_found_whatever_became_of_the_other),
		CASE(nobody_is_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
