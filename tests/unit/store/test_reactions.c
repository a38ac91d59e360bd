/* Reactions: counted and named in the order in which they were given, with their message wherever it is read. */
#include "support/chat.h"

#include "store/changes.h"
#include "store/meta.h"
#include "store/reactions.h"

#define WAVE "\xf0\x9f\x91\x8b"
#define HEART "\xe2\x9d\xa4\xef\xb8\x8f"
#define CUP "\xe2\x98\x95"

struct talk {
	char anna[ID_SIZE], bert[ID_SIZE], id[ID_SIZE];
};

/* Ten messages of Anna's. */
static struct talk
make_talk(struct test_database *test)
{
	struct talk talk;

	chat_make_user(test, "anna", talk.anna);
	chat_make_user(test, "bert", talk.bert);
	chat_make_direct(test, talk.anna, talk.bert, CHAT_NOW_MS, talk.id);
	chat_send(test, talk.id, talk.anna, CHAT_NOW_MS, 10);
	return talk;
}

static struct message
message_at(const struct talk *talk, int64_t seq)
{
	struct message message = {.seq = seq};

	memcpy(message.conversation_id, talk->id, ID_SIZE);
	return message;
}

static void
give(struct test_database *test, const struct talk *talk, int64_t seq, const char *emoji, const char *user_id,
     int64_t now_ms)
{
	struct message message = message_at(talk, seq);

	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, reactions_insert(test->db, &message, emoji, user_id, now_ms));
	check_ok(test, db_commit(test->db, NULL));
}

static void
take_back(struct test_database *test, const struct talk *talk, int64_t seq, const char *emoji, const char *user_id)
{
	struct message message = message_at(talk, seq);

	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, reactions_delete(test->db, &message, emoji, user_id));
	check_ok(test, db_commit(test->db, NULL));
}

/* "<emoji><count> ..." */
static const char *
reactions_text(struct test_database *test, const struct message *message)
{
	const char *text = "";

	for (size_t i = 0; i < message->n_reactions; i++)
		text = arena_printf(&test->arena, "%s%s%" PRId64 " ", text, message->reactions[i].emoji,
				    message->reactions[i].count);
	return text;
}

static const char *
text_at(struct test_database *test, const struct talk *talk, int64_t seq)
{
	struct message message = message_at(talk, seq);

	check_ok(test, reactions_attach(test->db, &test->arena, &message, 1));
	return reactions_text(test, &message);
}

static void
what_was_given_first_comes_first(void **state)
{
	struct test_database *test = *state;
	struct talk talk = make_talk(test);
	struct message message = message_at(&talk, 3);

	give(test, &talk, 3, WAVE, talk.bert, 5);
	give(test, &talk, 3, HEART, talk.anna, 4);
	give(test, &talk, 3, WAVE, talk.anna, 6);
	give(test, &talk, 4, CUP, talk.anna, 1);
	check_ok(test, reactions_attach(test->db, &test->arena, &message, 1));
	assert_string_equal(reactions_text(test, &message), HEART "1 " WAVE "2 ");
	assert_int_equal(message.reactions[1].n_user_ids, 2);
	assert_string_equal(message.reactions[1].user_ids[0], talk.bert);
	assert_string_equal(message.reactions[1].user_ids[1], talk.anna);
}

static void
one_is_taken_back_or_all(void **state)
{
	struct test_database *test = *state;
	struct talk talk = make_talk(test);
	struct message message = message_at(&talk, 3);
	bool has;

	give(test, &talk, 3, WAVE, talk.bert, 1);
	give(test, &talk, 3, WAVE, talk.anna, 2);
	give(test, &talk, 3, HEART, talk.anna, 3);
	give(test, &talk, 4, WAVE, talk.anna, 4);
	check_ok(test, reactions_has(test->db, &message, WAVE, talk.anna, &has));
	assert_true(has);
	check_ok(test, reactions_has(test->db, &message, HEART, talk.bert, &has));
	assert_false(has);

	take_back(test, &talk, 3, WAVE, talk.anna);
	check_ok(test, reactions_has(test->db, &message, WAVE, talk.anna, &has));
	assert_false(has);
	assert_string_equal(text_at(test, &talk, 3), WAVE "1 " HEART "1 ");
	take_back(test, &talk, 3, WAVE, talk.anna); /* not there: nothing happens */
	take_back(test, &talk, 3, NULL, NULL);
	assert_string_equal(text_at(test, &talk, 3), "");
	assert_string_equal(text_at(test, &talk, 4), WAVE "1 ");
}

static void
the_same_twice_is_a_conflict(void **state)
{
	struct test_database *test = *state;
	struct talk talk = make_talk(test);
	struct message message = message_at(&talk, 3);

	give(test, &talk, 3, WAVE, talk.bert, 1);
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_status(reactions_insert(test->db, &message, WAVE, talk.bert, 2), ERR_CONFLICT);
	db_rollback(test->db);
}

/* All are counted, the first of them named. */
static void
not_everybody_is_named(void **state)
{
	enum { N = REACTION_USER_IDS_SHOWN + 3 };
	struct test_database *test = *state;
	struct talk talk = make_talk(test);
	struct message message = message_at(&talk, 1);
	char ids[N][ID_SIZE];

	for (int i = 0; i < N; i++) {
		chat_make_user(test, arena_printf(&test->arena, "person%d", i), ids[i]);
		give(test, &talk, 1, WAVE, ids[i], 100 + i);
	}
	check_ok(test, reactions_attach(test->db, &test->arena, &message, 1));
	assert_int_equal(message.n_reactions, 1);
	assert_int_equal(message.reactions[0].count, N);
	assert_int_equal(message.reactions[0].n_user_ids, REACTION_USER_IDS_SHOWN);
	for (int i = 0; i < REACTION_USER_IDS_SHOWN; i++)
		assert_string_equal(message.reactions[0].user_ids[i], ids[i]);
}

/* Messages in any order, with gaps, each with its own; what was attached before is forgotten. */
static void
each_message_gets_its_own(void **state)
{
	static const int64_t seqs[] = {9, 2, 3, 4, 7, 6, 10, 1};
	enum { N = sizeof seqs / sizeof seqs[0] };
	struct test_database *test = *state;
	struct talk talk = make_talk(test), other;
	struct message messages[N];

	chat_make_direct(test, talk.anna, talk.anna, CHAT_NOW_MS, other.id);
	chat_send(test, other.id, talk.anna, CHAT_NOW_MS, 10);
	for (int64_t seq = 1; seq <= 10; seq++) {
		if (seq != 4)
			give(test, &talk, seq, arena_printf(&test->arena, "<%" PRId64 ">", seq), talk.bert, 1);
		give(test, &other, seq, CUP, talk.anna, 1);
	}
	for (size_t i = 0; i < N; i++) {
		messages[i] = message_at(&talk, seqs[i]);
		messages[i].n_reactions = 7;
	}
	check_ok(test, reactions_attach(test->db, &test->arena, messages, N));
	for (size_t i = 0; i < N; i++) {
		const char *expected = arena_printf(&test->arena, "<%" PRId64 ">1 ", seqs[i]);

		assert_string_equal(reactions_text(test, &messages[i]), seqs[i] == 4 ? "" : expected);
	}
	check_ok(test, reactions_attach(test->db, &test->arena, NULL, 0));
}

/* Makes the message at `seq` the stream's last change, as the writer does. */
static void
touch(struct test_database *test, const struct talk *talk, int64_t seq)
{
	struct message_page page;
	int64_t last_seq;

	check_ok(test,
		 messages_page(test->db, &test->arena, talk->id, talk->anna, MESSAGES_AROUND, seq, 1, &page, NULL));
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, conversations_advance(test->db, talk->id, 0, 1, &last_seq, &page.items[0].rev));
	check_ok(test, messages_update(test->db, &page.items[0]));
	check_ok(test, db_commit(test->db, NULL));
}

static void
a_message_has_them_wherever_it_is_read(void **state)
{
	struct test_database *test = *state;
	struct talk talk = make_talk(test);
	struct arena *arena = &test->arena;
	struct message_page page;
	struct message message;
	struct changes changes;
	struct conversation conversation, *items;
	int64_t snapshot_head;
	size_t n;
	bool more;

	give(test, &talk, 10, WAVE, talk.bert, 1);
	give(test, &talk, 2, HEART, talk.bert, 1);
	touch(test, &talk, 2);
	touch(test, &talk, 10);

	check_ok(test, messages_page(test->db, arena, talk.id, talk.bert, MESSAGES_NEWEST, 0, 50, &page, NULL));
	assert_int_equal(page.n_items, 10);
	for (size_t i = 0; i < page.n_items; i++)
		assert_string_equal(reactions_text(test, &page.items[i]), i == 1   ? HEART "1 "
									  : i == 9 ? WAVE "1 "
										   : "");
	check_ok(test, messages_get(test->db, arena, talk.id, page.items[1].id, &message));
	assert_string_equal(reactions_text(test, &message), HEART "1 ");
	check_ok(test, changes_of_conversation(test->db, arena, talk.id, talk.anna, 11, 50, &changes, NULL));
	assert_int_equal(changes.n_messages, 2);
	assert_string_equal(reactions_text(test, &changes.messages[0]), HEART "1 ");
	assert_string_equal(reactions_text(test, &changes.messages[1]), WAVE "1 ");
	check_ok(test, changes_snapshot(test->db, arena, talk.id, talk.anna, &changes, &snapshot_head, NULL));
	assert_string_equal(reactions_text(test, &changes.messages[9]), WAVE "1 ");
	assert_string_equal(reactions_text(test, changes.conversation->last_message), WAVE "1 ");
	check_ok(test, conversations_get(test->db, arena, talk.id, talk.anna, &conversation, NULL));
	assert_string_equal(reactions_text(test, conversation.last_message), WAVE "1 ");
	check_ok(test, conversations_list(test->db, arena, &(struct conversations_wish){talk.anna, INT64_MAX, "", 50},
					  &items, &n, &more));
	assert_string_equal(reactions_text(test, items[0].last_message), WAVE "1 ");
}

/* Bert's messages 3 to 6 at a head that is read first; NULL: they have moved. */
static const struct message_page *
page_at(struct test_database *test, const struct talk *talk, const struct head *head)
{
	char epoch[EVENT_EPOCH_SIZE];
	struct message_page_question question = {talk->bert, epoch, head, {3, 6}};
	struct message_page *page = arena_alloc(&test->arena, sizeof *page);
	bool moved;

	check_ok(test, meta_epoch(test->db, epoch));
	check_ok(test, messages_page_at(test->db, &test->arena, &question, page, &moved));
	return moved ? NULL : page;
}

static void
a_page_at_a_head_is_that_one_or_none(void **state)
{
	struct test_database *test = *state;
	struct talk talk = make_talk(test);
	const struct message_page *page;
	struct head head;

	give(test, &talk, 4, WAVE, talk.anna, 1);
	touch(test, &talk, 4);
	check_ok(test, conversations_head(test->db, talk.id, talk.bert, &head, NULL));
	touch(test, &talk, 2); /* what is not in it may change */
	touch(test, &talk, 7);
	chat_send(test, talk.id, talk.anna, CHAT_NOW_MS, 1);
	page = page_at(test, &talk, &head);
	assert_non_null(page);
	assert_int_equal(page->n_items, 4);
	assert_int_equal(page->last_rev, head.last_rev);
	assert_int_equal(page->last_seq, head.last_seq);
	assert_string_equal(reactions_text(test, &page->items[1]), WAVE "1 ");
	assert_string_equal(reactions_text(test, &page->items[0]), "");

	for (int64_t seq = 3; seq <= 6; seq++) {
		check_ok(test, conversations_head(test->db, talk.id, talk.bert, &head, NULL));
		assert_non_null(page_at(test, &talk, &head));
		touch(test, &talk, seq);
		assert_null(page_at(test, &talk, &head));
	}
	check_ok(test, conversations_head(test->db, talk.id, talk.bert, &head, NULL));
	assert_non_null(page_at(test, &talk, &head));
	chat_change(test, "UPDATE members SET left_at = 1 WHERE user_id = $1", talk.bert, NULL);
	assert_null(page_at(test, &talk, &head));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DATABASE(what_was_given_first_comes_first),
		WITH_DATABASE(one_is_taken_back_or_all),
		WITH_DATABASE(the_same_twice_is_a_conflict),
		WITH_DATABASE(not_everybody_is_named),
		WITH_DATABASE(each_message_gets_its_own),
		WITH_DATABASE(a_message_has_them_wherever_it_is_read),
		WITH_DATABASE(a_page_at_a_head_is_that_one_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
