/* Messages: inserted by the set, read back as they were, pages in every direction. */
#include "support/chat.h"

#include "store/meta.h"

struct direct {
	char anna[ID_SIZE], bert[ID_SIZE], id[ID_SIZE];
};

static struct direct
make_direct(struct test_database *test)
{
	struct direct direct;

	chat_make_user(test, "anna", direct.anna);
	chat_make_user(test, "bert", direct.bert);
	chat_make_direct(test, direct.anna, direct.bert, CHAT_NOW_MS, direct.id);
	return direct;
}

static void
what_was_inserted_is_read(void **state)
{
	struct test_database *test = *state;
	struct direct direct = make_direct(test);
	struct message message = {
		.seq = 1,
		.rev = 2,
		.content = "Hallo 👋\n'; DROP TABLE messages; --",
		.digest = "digest",
		.timestamp_ms = 1760000000123,
	};
	const struct message *pointer = &message;
	struct message read;

	id_make(message.id);
	id_make(message.reply_to_id);
	memcpy(message.conversation_id, direct.id, ID_SIZE);
	memcpy(message.sender_id, direct.anna, ID_SIZE);
	memcpy(message.recipient_id, direct.bert, ID_SIZE);
	check_ok(test, db_begin(test->db, DB_WRITE));
	messages_insert(test->db, &pointer, 1);
	check_ok(test, db_commit(test->db, NULL));

	check_ok(test, messages_get(test->db, &test->arena, direct.id, message.id, &read));
	assert_string_equal(read.id, message.id);
	assert_string_equal(read.conversation_id, message.conversation_id);
	assert_int_equal(read.seq, 1);
	assert_int_equal(read.rev, 2);
	assert_string_equal(read.sender_id, message.sender_id);
	assert_string_equal(read.recipient_id, message.recipient_id);
	assert_string_equal(read.content, message.content);
	assert_string_equal(read.digest, "digest");
	assert_int_equal(read.timestamp_ms, message.timestamp_ms);
	assert_string_equal(read.reply_to_id, message.reply_to_id);
	assert_int_equal(read.edited_at_ms, 0);
	assert_int_equal(read.deleted_at_ms, 0);
	check_status(messages_get(test->db, &test->arena, "other", message.id, &read), ERR_NOT_FOUND);
	check_status(messages_get(test->db, &test->arena, direct.id, "other", &read), ERR_NOT_FOUND);
}

/* Sizes around those of the set-based statements: every row is there, in order. */
static void
any_number_is_inserted(void **state)
{
	struct test_database *test = *state;
	struct direct direct = make_direct(test);
	static const size_t sizes[] = {1, 2, 3, 4, 5, 6, 9, 10, 11, 19, 20, 21, 49, 50, 51, 64, 99, 100, 200};
	int64_t total = 0;

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct message_page page;

		chat_send(test, direct.id, direct.anna, CHAT_NOW_MS, sizes[i]);
		total += (int64_t)sizes[i];
		assert_int_equal(test_database_int64(test, "SELECT count(*) FROM messages"), total);
		check_ok(test, messages_page(test->db, &test->arena, direct.id, direct.bert, MESSAGES_NEWEST, 0, 200,
					     &page, NULL));
		assert_int_equal(page.last_seq, total);
		assert_int_equal(page.last_rev, total + 1);
		for (size_t j = 0; j < page.n_items; j++) {
			int64_t seq = total - (int64_t)(page.n_items - 1 - j);

			assert_int_equal(page.items[j].seq, seq);
			assert_int_equal(page.items[j].rev, seq + 1);
			assert_string_equal(page.items[j].content, arena_printf(&test->arena, "message %" PRId64, seq));
		}
	}
}

static void
an_id_is_unique_for_ever(void **state)
{
	struct test_database *test = *state;
	struct direct direct = make_direct(test);
	struct message_page page;
	const struct message *pointer;

	chat_send(test, direct.id, direct.anna, CHAT_NOW_MS, 1);
	check_ok(test,
		 messages_page(test->db, &test->arena, direct.id, direct.anna, MESSAGES_NEWEST, 0, 1, &page, NULL));
	pointer = &page.items[0];
	page.items[0].seq = 2;
	check_ok(test, db_begin(test->db, DB_WRITE));
	messages_insert(test->db, &pointer, 1);
	check_status(db_commit(test->db, NULL), ERR_CONFLICT);
}

/* "3-7" of ten messages, then '<' and '>' for what lies before and after. */
static const char *
page_text(struct test_database *test, const struct message_page *page)
{
	const char *before = page->has_more_before ? "<" : "", *after = page->has_more_after ? ">" : "";

	for (size_t i = 1; i < page->n_items; i++)
		assert_int_equal(page->items[i].seq, page->items[i - 1].seq + 1);
	if (page->n_items == 0)
		return arena_printf(&test->arena, "%snone%s", before, after);
	return arena_printf(&test->arena, "%s%" PRId64 "-%" PRId64 "%s", before, page->items[0].seq,
			    page->items[page->n_items - 1].seq, after);
}

static void
pages_in_every_direction(void **state)
{
	struct test_database *test = *state;
	struct direct direct = make_direct(test);
	static const struct {
		enum message_anchor anchor;
		int64_t seq, limit;
		const char *page;
	} cases[] = {
		{MESSAGES_NEWEST, 0, 50, "1-10"},
		{MESSAGES_NEWEST, 0, 10, "1-10"},
		{MESSAGES_NEWEST, 0, 3, "<8-10"},
		{MESSAGES_BEFORE, 8, 3, "<5-7>"},
		{MESSAGES_BEFORE, 4, 3, "1-3>"},
		{MESSAGES_BEFORE, 3, 3, "1-2>"},
		{MESSAGES_BEFORE, 1, 3, "none>"},
		{MESSAGES_BEFORE, 0, 3, "none>"},
		{MESSAGES_BEFORE, 99, 3, "<8-10"},
		{MESSAGES_AFTER, 0, 3, "1-3>"},
		{MESSAGES_AFTER, 7, 3, "<8-10"},
		{MESSAGES_AFTER, 9, 3, "<10-10"},
		{MESSAGES_AFTER, 10, 3, "<none"},
		{MESSAGES_AFTER, 99, 3, "<none"},
		{MESSAGES_AFTER, INT64_MAX >> 10, 3, "<none"},
		{MESSAGES_BEFORE, INT64_MAX >> 10, 3, "<8-10"},
		{MESSAGES_AROUND, 5, 3, "<4-6>"},
		{MESSAGES_AROUND, 5, 4, "<3-6>"},
		{MESSAGES_AROUND, 1, 3, "1-3>"},
		{MESSAGES_AROUND, 10, 3, "<8-10"},
		{MESSAGES_AROUND, 99, 3, "<8-10"},
		{MESSAGES_AROUND, 5, 50, "1-10"},
		{MESSAGES_AROUND, 5, 1, "<5-5>"},
	};
	char epoch[EVENT_EPOCH_SIZE];
	struct message_page page;
	struct head head;
	bool moved;

	check_ok(test, meta_epoch(test->db, epoch));
	chat_send(test, direct.id, direct.anna, CHAT_NOW_MS, 10);
	check_ok(test, conversations_head(test->db, direct.id, direct.bert, &head, NULL));
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_ok(test, messages_page(test->db, &test->arena, direct.id, direct.bert, cases[i].anchor,
					     cases[i].seq, cases[i].limit, &page, NULL));
		if (strcmp(page_text(test, &page), cases[i].page) != 0)
			fail_msg("case %zu: %s instead of %s", i, page_text(test, &page), cases[i].page);

		struct message_page_question question = {direct.bert, epoch, &head,
							 messages_range(cases[i].anchor, cases[i].seq, cases[i].limit,
									10)};
		check_ok(test, messages_page_at(test->db, &test->arena, &question, &page, &moved));
		assert_false(moved);
		if (strcmp(page_text(test, &page), cases[i].page) != 0)
			fail_msg("case %zu, at a head: %s instead of %s", i, page_text(test, &page), cases[i].page);
	}
}

/* Whether Bert's messages are other ones than at a head of an epoch, read before. */
static bool
has_moved(struct test_database *test, const struct direct *direct, const char *epoch, const struct head *head)
{
	struct message_page_question question = {direct->bert, epoch, head, {1, head->last_seq}};
	struct message_page page;
	bool moved;

	check_ok(test, messages_page_at(test->db, &test->arena, &question, &page, &moved));
	return moved;
}

/* Though it has as many messages, and none of a later revision. */
static void
a_page_of_another_history_is_not_the_one_at_a_head(void **state)
{
	struct test_database *test = *state;
	struct direct direct = make_direct(test);
	char epoch[EVENT_EPOCH_SIZE];
	struct head head;

	chat_send(test, direct.id, direct.anna, CHAT_NOW_MS, 3);
	check_ok(test, meta_epoch(test->db, epoch));
	check_ok(test, conversations_head(test->db, direct.id, direct.bert, &head, NULL));
	assert_false(has_moved(test, &direct, epoch, &head));
	test_database_run(test, "UPDATE meta SET value = '99' WHERE key = 'timeline'");
	assert_true(has_moved(test, &direct, epoch, &head));
	check_ok(test, meta_epoch(test->db, epoch));
	assert_false(has_moved(test, &direct, epoch, &head));
	test_database_run(test, "UPDATE meta SET value = 'another' WHERE key = 'epoch'");
	assert_true(has_moved(test, &direct, epoch, &head));
}

static void
an_empty_conversation_has_an_empty_page(void **state)
{
	struct test_database *test = *state;
	struct direct direct = make_direct(test);
	static const enum message_anchor anchors[] = {MESSAGES_NEWEST, MESSAGES_BEFORE, MESSAGES_AFTER,
						      MESSAGES_AROUND};
	struct message_page page;

	for (size_t i = 0; i < sizeof anchors / sizeof anchors[0]; i++) {
		check_ok(test,
			 messages_page(test->db, &test->arena, direct.id, direct.anna, anchors[i], 1, 50, &page, NULL));
		assert_string_equal(page_text(test, &page), "none");
		assert_int_equal(page.last_seq, 0);
		assert_int_equal(page.last_rev, 1);
	}
}

static void
only_members_read(void **state)
{
	struct test_database *test = *state;
	struct direct direct = make_direct(test);
	struct message_page page;
	struct fault fault = {0};
	char cleo[ID_SIZE];

	chat_make_user(test, "cleo", cleo);
	chat_send(test, direct.id, direct.anna, CHAT_NOW_MS, 1);
	check_status(messages_page(test->db, &test->arena, direct.id, cleo, MESSAGES_NEWEST, 0, 5, &page, &fault),
		     ERR_NOT_FOUND);
	assert_string_equal(fault.code, "conversation_not_found");
	chat_change(test, "UPDATE members SET left_at = 1 WHERE user_id = $1", direct.bert, NULL);
	check_status(messages_page(test->db, &test->arena, direct.id, direct.bert, MESSAGES_NEWEST, 0, 5, &page,
				   &fault),
		     ERR_NOT_FOUND);
	assert_false(db_in_transaction(test->db)); /* its own snapshot has ended */
}

static void
a_message_needs_its_conversation_and_sender(void **state)
{
	struct test_database *test = *state;
	struct direct direct = make_direct(test);
	struct message message = {.seq = 1, .rev = 2, .content = "x", .digest = "d", .timestamp_ms = 1};
	const struct message *pointer = &message;

	id_make(message.id);
	memcpy(message.conversation_id, direct.id, ID_SIZE);
	id_make(message.sender_id);
	check_ok(test, db_begin(test->db, DB_WRITE));
	messages_insert(test->db, &pointer, 1);
	check_status(db_commit(test->db, NULL), ERR_INTERNAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DATABASE(what_was_inserted_is_read),
		WITH_DATABASE(any_number_is_inserted),
		WITH_DATABASE(an_id_is_unique_for_ever),
		WITH_DATABASE(pages_in_every_direction),
		WITH_DATABASE(a_page_of_another_history_is_not_the_one_at_a_head),
		WITH_DATABASE(an_empty_conversation_has_an_empty_page),
		WITH_DATABASE(only_members_read),
		WITH_DATABASE(a_message_needs_its_conversation_and_sender),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
