/* What a person takes along: all that is theirs, also what has ended, a page after the other, and nothing of anybody else's. */
#include "support/chat.h"

#include "store/audit.h"
#include "store/blocks.h"
#include "store/exports.h"
#include "store/invites.h"
#include "store/reactions.h"

struct people {
	char anna[ID_SIZE], bert[ID_SIZE], group[ID_SIZE], direct[ID_SIZE];
};

/* Anna and Bert have a group and a direct conversation. */
static struct people
make_people(struct test_database *test)
{
	struct people people;

	chat_make_user(test, "anna", people.anna);
	chat_make_user(test, "bert", people.bert);
	chat_make_group(test, "Tea", people.anna, people.bert, people.group);
	chat_make_direct(test, people.anna, people.bert, CHAT_NOW_MS, people.direct);
	return people;
}

typedef enum status rows_of(struct db *db, struct arena *arena, const char *user_id, const char *after_id,
			    int64_t limit, struct export_row **ret_rows, size_t *ret_n);

/* Reads all in pages of one: as many rows as wanted, by growing key. */
static struct export_row *
read_all(struct test_database *test, rows_of *read, const char *user_id, size_t wanted)
{
	struct export_row *rows = arena_alloc(&test->arena, (wanted + 1) * sizeof *rows), *page;
	const char *after = "";
	size_t n = 0, n_page;

	for (;;) {
		check_ok(test, read(test->db, &test->arena, user_id, after, 1, &page, &n_page));
		if (n_page == 0)
			break;
		assert_int_equal(n_page, 1);
		assert_true(n < wanted);
		assert_true(strcmp(page->key, after) > 0);
		rows[n++] = *page;
		after = rows[n - 1].key;
	}
	assert_int_equal(n, wanted);
	check_ok(test, read(test->db, &test->arena, user_id, "", 100, &page, &n_page));
	assert_int_equal(n_page, wanted);
	return rows;
}

static const struct export_row *
with_key(const struct export_row *rows, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(rows[i].key, key) == 0)
			return &rows[i];
	fail_msg("no row has the key %s", key);
	return NULL;
}

static void
log_ins_that_have_ended_too(void **state)
{
	struct test_database *test = *state;
	struct people people = make_people(test);
	struct login_session device = chat_log_in(test, people.anna, "device", NULL);
	struct login_session token = chat_log_in(test, people.anna, "token", "report");
	const struct export_row *rows, *row;

	chat_log_in(test, people.bert, "bert's", NULL);
	chat_change(test, "UPDATE sessions SET revoked_at = 9 WHERE id = $1", device.id, NULL);
	rows = read_all(test, exports_sessions, people.anna, 2);
	row = with_key(rows, 2, device.id);
	assert_string_equal(row->kind, "session");
	assert_string_equal(row->texts[1], "device");
	assert_null(row->texts[2]);
	assert_string_equal(row->texts[3], "curl");
	assert_int_equal(row->times_ms[0], CHAT_NOW_MS);
	assert_int_equal(row->times_ms[2], 9);
	row = with_key(rows, 2, token.id);
	assert_string_equal(row->texts[0], token.id);
	assert_string_equal(row->texts[1], "token");
	assert_string_equal(row->texts[2], "report");
	assert_int_equal(row->times_ms[2], 0);
}

static void
conversations_that_were_left_without_their_title(void **state)
{
	struct test_database *test = *state;
	struct people people = make_people(test);
	const struct export_row *rows, *row;
	char left[ID_SIZE], carl[ID_SIZE], others[ID_SIZE];

	chat_make_user(test, "carl", carl);
	chat_make_group(test, "Coffee", people.bert, people.anna, left);
	chat_make_group(test, "None of hers", people.bert, carl, others);
	chat_change(test, "UPDATE members SET left_at = 8, muted_until = 9 WHERE conversation_id = $1 AND user_id = $2",
		    left, people.anna);
	rows = read_all(test, exports_memberships, people.anna, 3);
	row = with_key(rows, 3, people.group);
	assert_string_equal(row->kind, "membership");
	assert_string_equal(row->texts[1], "group");
	assert_string_equal(row->texts[2], "Tea");
	assert_string_equal(row->texts[3], "owner");
	assert_int_equal(row->times_ms[0], CHAT_NOW_MS);
	assert_int_equal(row->times_ms[1], 0);
	row = with_key(rows, 3, left);
	assert_null(row->texts[2]); /* what it is called now is not hers */
	assert_int_equal(row->times_ms[1], 8);
	assert_int_equal(row->times_ms[2], 9);
	row = with_key(rows, 3, people.direct);
	assert_string_equal(row->texts[1], "direct");
	assert_null(row->texts[2]);
}

static void
blocks_that_were_lifted_too(void **state)
{
	struct test_database *test = *state;
	struct people people = make_people(test);
	struct block block = {.blocked = true, .user_rev = 1};
	const struct export_row *rows;
	char carl[ID_SIZE];

	chat_make_user(test, "carl", carl);
	memcpy(block.user_id, people.bert, ID_SIZE);
	chat_write(test, blocks_set(test->db, people.anna, &block, CHAT_NOW_MS));
	memcpy(block.user_id, carl, ID_SIZE);
	chat_write(test, blocks_set(test->db, people.anna, &block, CHAT_NOW_MS));
	chat_write(test, blocks_set(test->db, people.bert, &block, CHAT_NOW_MS));
	block.blocked = false;
	chat_write(test, blocks_set(test->db, people.anna, &block, CHAT_NOW_MS + 9));
	rows = read_all(test, exports_blocks, people.anna, 2);
	assert_string_equal(rows->kind, "block");
	assert_int_equal(with_key(rows, 2, people.bert)->times_ms[0], CHAT_NOW_MS);
	assert_int_equal(with_key(rows, 2, people.bert)->times_ms[1], 0);
	assert_int_equal(with_key(rows, 2, carl)->times_ms[1], CHAT_NOW_MS + 9);
	read_all(test, exports_blocks, carl, 0); /* who is blocked is not told */
}

static void
the_invite_they_came_by(void **state)
{
	struct test_database *test = *state;
	struct people people = make_people(test);
	struct invite invite = {.note = "for Anna",
				.created_by = "operator:root",
				.created_at_ms = 7,
				.expires_at_ms = 9};
	const struct export_row *rows;

	id_make(invite.id);
	snprintf(invite.code_hash, sizeof invite.code_hash, "hash");
	chat_write(test, invites_insert(test->db, &invite));
	read_all(test, exports_invites, people.anna, 0);
	chat_write(test, invites_use(test->db, invite.id, people.anna, 8));
	rows = read_all(test, exports_invites, people.anna, 1);
	assert_string_equal(rows->key, invite.id);
	assert_string_equal(rows->texts[1], "for Anna");
	assert_int_equal(rows->times_ms[0], 7);
	assert_int_equal(rows->times_ms[1], 8);
	read_all(test, exports_invites, people.bert, 0);
}

/* Bert administers. Each act once, also one on oneself. */
static void
acts_by_them_and_on_them(void **state)
{
	struct test_database *test = *state;
	struct people people = make_people(test);
	const char *const targets[] = {people.anna, people.bert, NULL};
	struct audit_entry act = {.at_ms = 5, .actor = people.bert, .action = "user.disabled", .detail = "{}"};
	const struct export_row *rows;

	act.address = "192.0.2.1";
	for (size_t i = 0; i < 3; i++) {
		id_make(act.id);
		act.target = targets[i];
		chat_write(test, audit_insert(test->db, &act));
	}
	rows = read_all(test, exports_acts, people.bert, 3);
	assert_string_equal(rows->texts[2], people.bert);
	assert_string_equal(rows->texts[3], people.anna);
	assert_string_equal(rows->texts[4], "192.0.2.1");
	rows = read_all(test, exports_acts, people.anna, 1);
	assert_string_equal(rows->texts[1], "user.disabled");
	assert_null(rows->texts[2]);
	assert_null(rows->texts[4]);
	assert_int_equal(rows->times_ms[0], 5);
}

static void
every_conversation_once(void **state)
{
	struct test_database *test = *state;
	struct people people = make_people(test);
	char id[ID_SIZE] = "", carl[ID_SIZE], others[ID_SIZE];
	size_t n = 0;
	bool found;

	chat_make_user(test, "carl", carl);
	chat_make_group(test, "None of hers", people.bert, carl, others);
	chat_change(test, "UPDATE members SET left_at = 8 WHERE conversation_id = $1 AND user_id = $2", people.group,
		    people.anna);
	for (;;) {
		check_ok(test, exports_next_conversation(test->db, people.anna, id, &found, id));
		if (!found)
			break;
		assert_true(strcmp(id, people.group) == 0 || strcmp(id, people.direct) == 0);
		n++;
	}
	assert_int_equal(n, 2);
}

static void
what_they_said_themselves(void **state)
{
	struct test_database *test = *state;
	struct people people = make_people(test);
	struct message *messages;
	size_t n;

	chat_send(test, people.direct, people.anna, CHAT_NOW_MS, 2);
	chat_send(test, people.direct, people.bert, CHAT_NOW_MS, 3);
	chat_send(test, people.direct, people.anna, CHAT_NOW_MS, 2);
	chat_send(test, people.group, people.anna, CHAT_NOW_MS, 1);
	chat_change(test, "UPDATE messages SET content = NULL, deleted_at = 9 WHERE conversation_id = $1 AND seq = 2",
		    people.direct, NULL);
	check_ok(test, exports_messages(test->db, &test->arena, people.anna, people.direct, 0, 3, &messages, &n));
	assert_int_equal(n, 3);
	assert_string_equal(messages[0].content, "message 1");
	assert_null(messages[1].content);
	assert_int_equal(messages[1].deleted_at_ms, 9);
	assert_int_equal(messages[2].seq, 6);
	check_ok(test, exports_messages(test->db, &test->arena, people.anna, people.direct, 6, 3, &messages, &n));
	assert_int_equal(n, 1);
	assert_int_equal(messages[0].seq, 7);
	check_ok(test, exports_messages(test->db, &test->arena, people.anna, people.direct, 7, 3, &messages, &n));
	assert_int_equal(n, 0);
}

static void
give(struct test_database *test, const char *conversation_id, int64_t seq, const char *emoji, const char *user_id)
{
	struct message message = {.seq = seq};

	memcpy(message.conversation_id, conversation_id, ID_SIZE);
	chat_write(test, reactions_insert(test->db, &message, emoji, user_id, CHAT_NOW_MS + seq));
}

/* A page ends with a message, not within one, or what follows would be left out. */
static void
reactions_by_whole_messages(void **state)
{
	struct test_database *test = *state;
	struct people people = make_people(test);
	struct export_row *rows;
	size_t n;

	chat_send(test, people.direct, people.bert, CHAT_NOW_MS, 3);
	give(test, people.direct, 1, "b", people.anna);
	give(test, people.direct, 1, "a", people.anna);
	give(test, people.direct, 1, "a", people.bert);
	give(test, people.direct, 2, "a", people.bert);
	give(test, people.direct, 3, "c", people.anna);
	check_ok(test, exports_reactions(test->db, &test->arena, people.anna, people.direct, 0, 1, &rows, &n));
	assert_int_equal(n, 2);
	assert_string_equal(rows[0].kind, "reaction");
	assert_string_equal(rows[0].texts[0], people.direct);
	assert_string_equal(rows[0].texts[1], "a");
	assert_string_equal(rows[1].texts[1], "b");
	assert_int_equal(rows[1].seq, 1);
	assert_int_equal(rows[1].times_ms[0], CHAT_NOW_MS + 1);
	check_ok(test, exports_reactions(test->db, &test->arena, people.anna, people.direct, 1, 1, &rows, &n));
	assert_int_equal(n, 1);
	assert_int_equal(rows[0].seq, 3);
	check_ok(test, exports_reactions(test->db, &test->arena, people.anna, people.direct, 3, 1, &rows, &n));
	assert_int_equal(n, 0);
	check_ok(test, exports_reactions(test->db, &test->arena, people.anna, people.group, 0, 9, &rows, &n));
	assert_int_equal(n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DATABASE(log_ins_that_have_ended_too),
		WITH_DATABASE(conversations_that_were_left_without_their_title),
		WITH_DATABASE(blocks_that_were_lifted_too),
		WITH_DATABASE(the_invite_they_came_by),
		WITH_DATABASE(acts_by_them_and_on_them),
		WITH_DATABASE(every_conversation_once),
		WITH_DATABASE(what_they_said_themselves),
		WITH_DATABASE(reactions_by_whole_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
