/* store/readers: whose cursor has come to a message, and who said something after it. */
#include "support/chat.h"

#include "store/readers.h"

struct talk {
	char anna[ID_SIZE], bert[ID_SIZE], id[ID_SIZE], message_id[ID_SIZE];
};

/* Anna has said one thing. */
static struct talk
make_talk(struct test_database *test)
{
	struct message_page page;
	struct fault fault = {0};
	struct talk talk;

	chat_make_user(test, "anna", talk.anna);
	chat_make_user(test, "bert", talk.bert);
	chat_make_direct(test, talk.anna, talk.bert, CHAT_NOW_MS, talk.id);
	chat_send(test, talk.id, talk.anna, CHAT_NOW_MS, 1);
	check_ok(test, messages_page(test->db, &test->arena, talk.id, talk.anna, MESSAGES_NEWEST, 0, 1, &page, &fault));
	memcpy(talk.message_id, page.items[0].id, ID_SIZE);
	return talk;
}

/* One more member, with their cursor there. */
static void
add_reader(struct test_database *test, const struct talk *talk, const char *username)
{
	char id[ID_SIZE];

	chat_make_user(test, username, id);
	chat_change(test,
		    "INSERT INTO members (conversation_id, user_id, role, rev, user_rev, joined_at, read_seq)"
		    " VALUES ($1, $2, 'member', 1, 1, 0, 1)",
		    talk->id, id);
	chat_change(test, "UPDATE conversations SET member_count = member_count + 1 WHERE id = $1", talk->id, NULL);
}

static struct readers
ask(struct test_database *test, const struct talk *talk, const char *after_username, int64_t limit)
{
	const struct readers_query query = {
		.conversation_id = talk->id,
		.message_id = talk->message_id,
		.user_id = talk->anna,
		.after_username = after_username,
		.limit = limit,
	};
	struct fault fault = {0};
	struct readers readers;

	check_ok(test, readers_of_message(test->db, &test->arena, &query, &readers, &fault));
	return readers;
}

static int64_t
count(struct test_database *test, const struct talk *talk)
{
	return ask(test, talk, "", 10).count;
}

static void
a_cursor_or_an_answer_makes_a_reader(void **state)
{
	struct test_database *test = *state;
	struct talk talk = make_talk(test), other;
	struct readers readers;

	assert_int_equal(count(test, &talk), 0); /* nor Anna, who said it */
	chat_change(test, "UPDATE members SET read_seq = 1 WHERE conversation_id = $1 AND user_id = $2", talk.id,
		    talk.bert);
	readers = ask(test, &talk, "", 10);
	assert_int_equal(readers.count, 1);
	assert_int_equal(readers.n_items, 1);
	assert_string_equal(readers.items[0].user_id, talk.bert);
	assert_string_equal(readers.items[0].username, "bert");
	assert_string_equal(readers.items[0].display_name, "Name of bert");
	chat_change(test, "UPDATE members SET read_seq = 0 WHERE conversation_id = $1", talk.id, NULL);
	chat_send(test, talk.id, talk.anna, CHAT_NOW_MS, READERS_LOOK_AHEAD - 1);
	assert_int_equal(count(test, &talk), 0);
	other = talk;
	chat_send(test, talk.id, talk.bert, CHAT_NOW_MS, 1); /* the last that is looked at */
	assert_int_equal(count(test, &other), 1);
}

static void
an_answer_far_behind_counts_by_its_cursor_alone(void **state)
{
	struct test_database *test = *state;
	struct talk talk = make_talk(test);

	chat_send(test, talk.id, talk.anna, CHAT_NOW_MS, READERS_LOOK_AHEAD);
	chat_send(test, talk.id, talk.bert, CHAT_NOW_MS, 1);
	assert_int_equal(count(test, &talk), 0);
}

static void
who_left_or_came_later_is_no_reader(void **state)
{
	struct test_database *test = *state;
	struct talk talk = make_talk(test);

	add_reader(test, &talk, "cleo");
	assert_int_equal(count(test, &talk), 1);
	chat_change(test, "UPDATE members SET left_at = 1 WHERE conversation_id = $1 AND read_seq = 1", talk.id, NULL);
	assert_int_equal(count(test, &talk), 0);
	chat_change(test,
		    "UPDATE members SET left_at = NULL, joined_at = 1760000001 WHERE conversation_id = $1"
		    " AND read_seq = 1",
		    talk.id, NULL);
	assert_int_equal(count(test, &talk), 0);
}

static void
readers_come_in_pages_by_username(void **state)
{
	struct test_database *test = *state;
	struct talk talk = make_talk(test);
	struct readers readers;

	add_reader(test, &talk, "zoe");
	add_reader(test, &talk, "cleo");
	add_reader(test, &talk, "dora");
	readers = ask(test, &talk, "", 2);
	assert_int_equal(readers.count, 3);
	assert_int_equal(readers.n_items, 2);
	assert_true(readers.has_more);
	assert_string_equal(readers.items[0].username, "cleo");
	assert_string_equal(readers.items[1].username, "dora");
	readers = ask(test, &talk, "dora", 1);
	assert_int_equal(readers.n_items, 1);
	assert_false(readers.has_more);
	assert_string_equal(readers.items[0].username, "zoe");
	assert_int_equal(readers.count, 3);
}

static void
in_a_large_conversation_they_are_counted(void **state)
{
	struct test_database *test = *state;
	struct talk talk = make_talk(test);
	struct readers readers;

	add_reader(test, &talk, "cleo");
	chat_change(test, "UPDATE conversations SET member_count = 250 WHERE id = $1", talk.id, NULL);
	assert_int_equal(ask(test, &talk, "", 10).n_items, 1);
	chat_change(test, "UPDATE conversations SET member_count = 251 WHERE id = $1", talk.id, NULL);
	readers = ask(test, &talk, "", 10);
	assert_int_equal(readers.n_items, 0);
	assert_int_equal(readers.count, 1);
	assert_false(readers.has_more);
}

static void
only_members_ask_of_what_is_there(void **state)
{
	struct test_database *test = *state;
	struct talk talk = make_talk(test);
	struct readers_query query = {
		.conversation_id = talk.id,
		.message_id = talk.bert,
		.user_id = talk.anna,
		.after_username = "",
		.limit = 1,
	};
	struct fault fault = {0};
	struct readers readers;
	char eve[ID_SIZE];

	check_status(readers_of_message(test->db, &test->arena, &query, &readers, &fault), ERR_NOT_FOUND);
	assert_string_equal(fault.code, "message_not_found");
	chat_make_user(test, "eve", eve);
	query.message_id = talk.message_id;
	query.user_id = eve;
	check_status(readers_of_message(test->db, &test->arena, &query, &readers, &fault), ERR_NOT_FOUND);
	assert_string_equal(fault.code, "conversation_not_found");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DATABASE(a_cursor_or_an_answer_makes_a_reader),
		WITH_DATABASE(an_answer_far_behind_counts_by_its_cursor_alone),
		WITH_DATABASE(who_left_or_came_later_is_no_reader),
		WITH_DATABASE(readers_come_in_pages_by_username),
		WITH_DATABASE(in_a_large_conversation_they_are_counted),
		WITH_DATABASE(only_members_ask_of_what_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
