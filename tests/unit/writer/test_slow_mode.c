/* writer/send_message: slow mode, which lets one message per member and while pass. */
#include "support/writing.h"

enum { MANY = 8 };

struct fixture {
	struct test_database *test;
	struct batch_runner runner;
	char ada[ID_SIZE], bob[ID_SIZE];
	char talk[ID_SIZE]; /* of Ada and Bob */
	struct write_send_message sends[MANY];
	size_t n_sends;
};

static int
set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);

	assert_int_equal(test_database_setup((void **)&fixture->test), 0);
	fixture->runner.db = fixture->test->db;
	add_person(fixture->test, "ada", fixture->ada);
	add_person(fixture->test, "bob", fixture->bob);
	id_direct_conversation(fixture->ada, fixture->bob, fixture->talk);
	*state = fixture;
	return 0;
}

static void
forget_sends(struct fixture *fixture)
{
	for (size_t i = 0; i < fixture->n_sends; i++)
		arena_finish(&fixture->sends[i].op.arena);
	fixture->n_sends = 0;
}

static int
tear_down(void **state)
{
	struct fixture *fixture = *state;

	forget_sends(fixture);
	test_database_teardown((void **)&fixture->test);
	free(fixture);
	return 0;
}

static struct write_send_message *
next(struct fixture *fixture)
{
	assert_true(fixture->n_sends < MANY);
	return &fixture->sends[fixture->n_sends++];
}

/* One more send of the batch, from Ada to Bob. */
static struct write_send_message *
say(struct fixture *fixture, const char *id, const char *content)
{
	struct write_send_message *send = next(fixture);

	make_direct_send(send, fixture->ada, fixture->bob, id, content);
	return send;
}

/* Runs all that was made since the last forget_sends as one batch. */
static void
run(struct fixture *fixture)
{
	struct write_op *ops[MANY];

	for (size_t i = 0; i < fixture->n_sends; i++)
		ops[i] = &fixture->sends[i].op;
	batch_run(&fixture->runner, ops, fixture->n_sends);
	assert_false(db_in_transaction(fixture->test->db));
}

/* Bob and Ada talk, and slow mode is on. */
static void
slow_down(struct fixture *fixture)
{
	say(fixture, NULL, "before");
	run(fixture);
	forget_sends(fixture);
	test_database_run(fixture->test, "UPDATE conversations SET slow_mode_s = 60");
}

static void
slow_mode_lets_one_message_pass(void **state)
{
	struct fixture *fixture = *state;
	struct write_send_message *first, *second, *bobs, *replayed;
	char id[ID_SIZE];

	slow_down(fixture);
	id_make(id);
	first = say(fixture, id, "first");
	second = say(fixture, NULL, "second");
	bobs = next(fixture);
	make_send(bobs, fixture->bob, fixture->talk, NULL, "Bob's");
	replayed = say(fixture, id, "first");
	run(fixture);
	assert_stored(first, 2, 3);
	assert_refused(&second->op, ERR_RATE_LIMITED, "slow_mode");
	assert_int_equal(second->op.fault.retry_after_ms, 60000);
	assert_stored(bobs, 3, 4);
	assert_true(replayed->replayed);
	forget_sends(fixture);

	second = say(fixture, NULL, "second"); /* in another batch too */
	replayed = say(fixture, id, "first");
	run(fixture);
	assert_refused(&second->op, ERR_RATE_LIMITED, "slow_mode");
	assert_in_range(second->op.fault.retry_after_ms, 1, 60000);
	assert_true(replayed->replayed);
}

static void
slow_mode_ends_with_its_time(void **state)
{
	struct fixture *fixture = *state;
	struct write_send_message *send;

	slow_down(fixture);
	say(fixture, NULL, "first");
	run(fixture);
	forget_sends(fixture);

	test_database_run(fixture->test, "UPDATE members SET last_sent_at = last_sent_at - 60000");
	send = say(fixture, NULL, "a minute later");
	run(fixture);
	assert_stored(send, 3, 4);
	forget_sends(fixture);

	test_database_run(fixture->test, "UPDATE members SET last_sent_at = last_sent_at + 1000000");
	send = say(fixture, NULL, "the clock was set back");
	run(fixture);
	assert_int_equal(send->op.fault.retry_after_ms, 60000);
	forget_sends(fixture);

	test_database_run(fixture->test, "UPDATE conversations SET slow_mode_s = 0");
	send = say(fixture, NULL, "slow mode is off");
	run(fixture);
	assert_stored(send, 4, 5);
}

static void
slow_mode_spares_who_leads(void **state)
{
	static const char *const roles[] = {"UPDATE members SET role = 'admin'", "UPDATE members SET role = 'owner'"};
	struct fixture *fixture = *state;

	slow_down(fixture);
	for (int64_t i = 0; i < 2; i++) {
		test_database_run(fixture->test, roles[i]);
		say(fixture, NULL, "one");
		say(fixture, NULL, "two");
		run(fixture);
		assert_stored(&fixture->sends[0], 2 + 2 * i, 3 + 2 * i);
		assert_stored(&fixture->sends[1], 3 + 2 * i, 4 + 2 * i);
		forget_sends(fixture);
	}
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(slow_mode_lets_one_message_pass),
		CASE(slow_mode_ends_with_its_time),
		CASE(slow_mode_spares_who_leads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
