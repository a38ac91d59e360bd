/* Conversations as one caller sees them: membership decides, lists, unread messages, heads of streams. */
#include "support/chat.h"

#include <time.h>

#include "base/clock.h"

struct people {
	char anna[ID_SIZE], bert[ID_SIZE], cleo[ID_SIZE];
};

static struct people
make_people(struct test_database *test)
{
	struct people people;

	chat_make_user(test, "anna", people.anna);
	chat_make_user(test, "bert", people.bert);
	chat_make_user(test, "cleo", people.cleo);
	return people;
}

static void
a_direct_conversation_is_made_once(void **state)
{
	struct test_database *test = *state;
	struct people people = make_people(test);
	struct conversation seen;
	struct user user;
	char id[ID_SIZE];
	bool created;

	chat_make_direct(test, people.anna, people.bert, CHAT_NOW_MS, id);
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, conversations_ensure_direct(test->db, id, people.bert, people.anna, CHAT_NOW_MS, &created));
	assert_false(created);
	check_ok(test, db_commit(test->db, NULL));

	check_ok(test, conversations_get(test->db, &test->arena, id, people.bert, &seen, NULL));
	assert_string_equal(seen.id, id);
	assert_string_equal(seen.kind, "direct");
	assert_null(seen.title);
	assert_null(seen.last_message);
	assert_int_equal(seen.rev, 1);
	assert_int_equal(seen.last_rev, 1);
	assert_int_equal(seen.last_seq, 0);
	assert_int_equal(seen.member_rev, 1);
	assert_int_equal(seen.member_user_rev, 1);
	assert_int_equal(seen.member_count, 2);
	assert_int_equal(seen.n_members, 2);
	assert_string_equal(seen.members[0].username, "anna");
	assert_string_equal(seen.members[1].display_name, "Name of bert");
	assert_int_equal(seen.members[1].joined_at_ms, CHAT_NOW_MS);
	check_ok(test, users_get(test->db, &test->arena, people.anna, &user, NULL));
	assert_int_equal(user.last_rev, 1); /* both streams tell it */
	check_ok(test, users_get(test->db, &test->arena, people.cleo, &user, NULL));
	assert_int_equal(user.last_rev, 0);
}

static void
a_direct_conversation_needs_two_people(void **state)
{
	struct test_database *test = *state;
	struct people people = make_people(test);
	bool created;

	chat_change(test, "UPDATE users SET deleted_at = 1 WHERE id = $1", people.bert, NULL);
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_status(conversations_ensure_direct(test->db, "x", people.anna, "nobody", 1, &created), ERR_NOT_FOUND);
	check_status(conversations_ensure_direct(test->db, "x", people.anna, people.bert, 1, &created), ERR_NOT_FOUND);
	check_ok(test, db_commit(test->db, NULL)); /* nothing was changed */
	assert_int_equal(test_database_int64(test, "SELECT count(*) FROM conversations"), 0);
	assert_int_equal(test_database_int64(test, "SELECT sum(last_rev) FROM users"), 0);
}

static void
notes_to_self_have_one_member(void **state)
{
	struct test_database *test = *state;
	struct people people = make_people(test);
	struct conversation seen;
	char id[ID_SIZE], other[ID_SIZE];

	chat_make_direct(test, people.anna, people.anna, CHAT_NOW_MS, id);
	check_ok(test, conversations_get(test->db, &test->arena, id, people.anna, &seen, NULL));
	assert_int_equal(seen.member_count, 1);
	check_ok(test, conversations_membership(test->db, id, people.anna, other, NULL));
	assert_string_equal(other, people.anna);
}

static void
only_members_see_it(void **state)
{
	struct test_database *test = *state;
	struct people people = make_people(test);
	static const struct {
		const char *change, *undo;
	} cases[] = {
		{"UPDATE members SET left_at = 1 WHERE user_id = $1",
		 "UPDATE members SET left_at = NULL WHERE user_id = $1"},
		{"UPDATE conversations SET deleted_at = 1 WHERE created_by = $1",
		 "UPDATE conversations SET deleted_at = NULL WHERE created_by = $1"},
	};
	struct conversation seen;
	struct fault fault = {0};
	struct head head;
	char id[ID_SIZE], other[ID_SIZE];

	chat_make_direct(test, people.anna, people.bert, CHAT_NOW_MS, id);
	check_status(conversations_get(test->db, &test->arena, id, people.cleo, &seen, &fault), ERR_NOT_FOUND);
	assert_string_equal(fault.code, "conversation_not_found");
	check_status(conversations_head(test->db, id, people.cleo, &head, &fault), ERR_NOT_FOUND);
	check_status(conversations_membership(test->db, id, people.cleo, other, &fault), ERR_NOT_FOUND);
	check_status(conversations_get(test->db, &test->arena, "none", people.anna, &seen, &fault), ERR_NOT_FOUND);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_ok(test, conversations_head(test->db, id, people.anna, &head, &fault));
		check_ok(test, conversations_membership(test->db, id, people.anna, other, &fault));
		assert_string_equal(other, people.bert);
		chat_change(test, cases[i].change, people.anna, NULL);
		check_status(conversations_get(test->db, &test->arena, id, people.anna, &seen, &fault), ERR_NOT_FOUND);
		check_status(conversations_head(test->db, id, people.anna, &head, &fault), ERR_NOT_FOUND);
		check_status(conversations_membership(test->db, id, people.anna, other, &fault), ERR_NOT_FOUND);
		check_ok(test, conversations_get_row(test->db, &test->arena, id, &seen)); /* the hub does */
		chat_change(test, cases[i].undo, people.anna, NULL);
	}
	check_status(conversations_get_row(test->db, &test->arena, "none", &seen), ERR_NOT_FOUND);
}

static int64_t
unread(struct test_database *test, const char *id, const char *user_id)
{
	struct conversation seen;

	check_ok(test, conversations_get(test->db, &test->arena, id, user_id, &seen, NULL));
	return seen.unread_count;
}

static void
unread_is_what_others_wrote_since(void **state)
{
	struct test_database *test = *state;
	struct people people = make_people(test);
	char id[ID_SIZE];

	chat_make_direct(test, people.anna, people.bert, CHAT_NOW_MS, id);
	assert_int_equal(unread(test, id, people.bert), 0);
	chat_send(test, id, people.anna, CHAT_NOW_MS, 3);
	assert_int_equal(unread(test, id, people.bert), 3);
	assert_int_equal(unread(test, id, people.anna), 0);
	chat_change(test, "UPDATE members SET read_seq = 2 WHERE user_id = $1", people.bert, NULL);
	assert_int_equal(unread(test, id, people.bert), 1);
	chat_send(test, id, people.bert, CHAT_NOW_MS, 1); /* writing implies having read */
	assert_int_equal(unread(test, id, people.bert), 0);
	assert_int_equal(unread(test, id, people.anna), 1);
	chat_send(test, id, people.anna, CHAT_NOW_MS, 99);
	assert_int_equal(unread(test, id, people.bert), 99);
	chat_send(test, id, people.anna, CHAT_NOW_MS, 1);
	assert_int_equal(unread(test, id, people.bert), 100);
	chat_send(test, id, people.anna, CHAT_NOW_MS, 150);
	assert_int_equal(unread(test, id, people.bert), 100);
	chat_send(test, id, people.bert, CHAT_NOW_MS, 1);
	assert_int_equal(unread(test, id, people.bert), 0);
}

static void
the_newest_activity_comes_first(void **state)
{
	struct test_database *test = *state;
	struct people people = make_people(test);
	enum { N = 12 };
	char ids[N][ID_SIZE], other[ID_SIZE], before_id[ID_SIZE] = "";
	int64_t before_ms = INT64_MAX;
	size_t n, seen = 0;
	bool more = true;

	for (int i = 0; i < N; i++) {
		chat_make_user(test, arena_printf(&test->arena, "user%02d", i), other);
		chat_make_direct(test, people.anna, other, CHAT_NOW_MS + i / 2, ids[i]); /* two at a time tie */
	}
	chat_send(test, ids[3], people.anna, CHAT_NOW_MS + 100, 2);
	while (more) {
		struct conversation *items;

		check_ok(test, conversations_list(test->db, &test->arena,
						  &(struct conversations_wish){people.anna, before_ms, before_id, 5},
						  &items, &n, &more));
		assert_int_equal(n, more ? 5 : N - seen);
		for (size_t i = 0; i < n; i++, seen++) {
			int64_t activity = conversations_activity_ms(&items[i]);

			assert_int_equal(items[i].n_members, 2);
			assert_true(activity < before_ms ||
				    (activity == before_ms && strcmp(items[i].id, before_id) < 0));
			before_ms = activity;
			memcpy(before_id, items[i].id, ID_SIZE);
			if (seen > 0)
				continue;
			assert_string_equal(items[i].id, ids[3]);
			assert_string_equal(items[i].last_message->content, "message 2");
		}
	}
	assert_int_equal(seen, N);
}

static void
a_list_is_the_callers_own(void **state)
{
	struct test_database *test = *state;
	struct people people = make_people(test);
	struct conversation *items;
	char id[ID_SIZE];
	size_t n;
	bool more;

	chat_make_direct(test, people.anna, people.bert, CHAT_NOW_MS, id);
	chat_send(test, id, people.anna, CHAT_NOW_MS, 2);
	check_ok(test,
		 conversations_list(test->db, &test->arena,
				    &(struct conversations_wish){people.cleo, INT64_MAX, "", 10}, &items, &n, &more));
	assert_int_equal(n, 0);
	assert_false(more);
	check_ok(test,
		 conversations_list(test->db, &test->arena,
				    &(struct conversations_wish){people.bert, INT64_MAX, "", 10}, &items, &n, &more));
	assert_int_equal(n, 1);
	assert_int_equal(items[0].unread_count, 2);
	assert_int_equal(items[0].member_rev, 1);
	chat_change(test, "UPDATE members SET left_at = 1 WHERE user_id = $1", people.bert, NULL);
	check_ok(test,
		 conversations_list(test->db, &test->arena,
				    &(struct conversations_wish){people.bert, INT64_MAX, "", 10}, &items, &n, &more));
	assert_int_equal(n, 0);
	check_ok(test,
		 conversations_list(test->db, &test->arena,
				    &(struct conversations_wish){people.anna, INT64_MAX, "", 10}, &items, &n, &more));
	assert_int_equal(items[0].n_members, 1);
	assert_int_equal(items[0].member_count, 2); /* it is kept, not counted */
}

static void
heads_of_all_memberships(void **state)
{
	struct test_database *test = *state;
	struct people people = make_people(test);
	struct head *heads;
	char with_bert[ID_SIZE], with_cleo[ID_SIZE];
	int64_t me;
	size_t n;

	check_ok(test, conversations_heads(test->db, &test->arena, people.anna, &me, &heads, &n));
	assert_int_equal(me, 0);
	assert_int_equal(n, 0);
	chat_make_direct(test, people.anna, people.bert, CHAT_NOW_MS, with_bert);
	chat_make_direct(test, people.cleo, people.anna, CHAT_NOW_MS, with_cleo);
	chat_send(test, with_bert, people.bert, CHAT_NOW_MS + 5, 2);
	chat_change(test, "UPDATE conversations SET deleted_at = 1 WHERE id = $1", with_cleo, NULL);
	check_ok(test, conversations_heads(test->db, &test->arena, people.anna, &me, &heads, &n));
	assert_int_equal(me, 2);
	assert_int_equal(n, 1);
	assert_string_equal(heads[0].conversation_id, with_bert);
	assert_int_equal(heads[0].last_seq, 2);
	assert_int_equal(heads[0].last_rev, 3);
	assert_int_equal(heads[0].member_rev, 1);
	assert_int_equal(heads[0].activity_ms, CHAT_NOW_MS + 5);
	assert_int_equal(heads[0].member_count, 2);
	check_status(conversations_heads(test->db, &test->arena, "nobody", &me, &heads, &n), ERR_NOT_FOUND);
}

/* Behind all that was written. A server of several databases holds the position back while any of them has a transaction open,
 * as those of tests that run beside this one do. */
static int64_t
position(struct test_database *test)
{
	int64_t written = test_database_int64(test, "SELECT max(change_no) FROM (SELECT change_no FROM users UNION ALL"
						    " SELECT change_no FROM conversations) changes");
	int64_t end = clock_monotonic_ms() + 20000, value;

	for (;;) {
		check_ok(test, db_begin(test->db, DB_READ));
		check_ok(test, db_change_position(test->db, &value));
		db_rollback(test->db);
		if (value > written)
			return value;
		assert_true(clock_monotonic_ms() < end);
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	}
}

static void
what_changed_since_a_position(void **state)
{
	struct test_database *test = *state;
	struct people people = make_people(test);
	struct stream_head *heads;
	char id[ID_SIZE];
	int64_t start = position(test), later;
	size_t n;

	check_ok(test, conversations_changed(test->db, &test->arena, start, &heads, &n));
	assert_int_equal(n, 0);
	chat_make_direct(test, people.anna, people.bert, CHAT_NOW_MS, id);
	check_ok(test, conversations_changed(test->db, &test->arena, start, &heads, &n));
	assert_int_equal(n, 3); /* the conversation and both people */
	later = position(test);
	chat_send(test, id, people.anna, CHAT_NOW_MS, 4);
	check_ok(test, conversations_changed(test->db, &test->arena, later, &heads, &n));
	assert_int_equal(n, 1);
	assert_string_equal(heads[0].channel, arena_printf(&test->arena, "c:%s", id));
	assert_int_equal(heads[0].last_rev, 5);
	assert_int_equal(heads[0].member_count, 2);
}

static void
heads_by_channel(void **state)
{
	struct test_database *test = *state;
	struct people people = make_people(test);
	enum { N = 70 }; /* more than two queries take */
	const char *channels[2 * N + 1];
	struct stream_head *heads;
	char id[ID_SIZE];
	size_t n = 0, n_found, n_users = 0;

	for (int i = 0; i < N; i++) {
		char other[ID_SIZE];

		chat_make_user(test, arena_printf(&test->arena, "user%02d", i), other);
		chat_make_direct(test, people.anna, other, CHAT_NOW_MS, id);
		channels[n++] = arena_printf(&test->arena, "c:%s", id);
		channels[n++] = arena_printf(&test->arena, "u:%s", other);
	}
	channels[n++] = "c:00000000-0000-7000-8000-000000000000";
	check_ok(test, conversations_heads_of(test->db, &test->arena, channels, n, &heads, &n_found));
	assert_int_equal(n_found, 2 * N);
	for (size_t i = 0; i < n_found; i++) {
		assert_int_equal(heads[i].last_rev, 1);
		assert_int_equal(heads[i].member_count, heads[i].channel[0] == 'c' ? 2 : 0);
		n_users += heads[i].channel[0] == 'u';
	}
	assert_int_equal(n_users, N);
	check_ok(test, conversations_heads_of(test->db, &test->arena, channels, 0, &heads, &n_found));
	assert_int_equal(n_found, 0);
}

static void
counters_advance_together(void **state)
{
	struct test_database *test = *state;
	struct people people = make_people(test);
	int64_t last_seq, last_rev;
	char id[ID_SIZE];

	chat_make_direct(test, people.anna, people.bert, CHAT_NOW_MS, id);
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, conversations_advance(test->db, id, 3, 3, &last_seq, &last_rev));
	assert_int_equal(last_seq, 3);
	assert_int_equal(last_rev, 4);
	check_ok(test, conversations_advance(test->db, id, 0, 1, &last_seq, &last_rev));
	assert_int_equal(last_seq, 3);
	assert_int_equal(last_rev, 5);
	check_status(conversations_advance(test->db, "none", 1, 1, &last_seq, &last_rev), ERR_NOT_FOUND);
	db_rollback(test->db);
}

static void
a_membership_carries_its_read_cursor(void **state)
{
	struct test_database *test = *state;
	struct people people = make_people(test);
	struct membership membership;
	struct fault fault = {0};
	char id[ID_SIZE];

	chat_make_direct(test, people.anna, people.bert, CHAT_NOW_MS, id);
	chat_send(test, id, people.anna, CHAT_NOW_MS, 3);
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, conversations_own_membership(test->db, id, people.bert, &membership, &fault));
	membership.read_seq = 2;
	membership.delivered_seq = 3;
	membership.user_rev = 9;
	check_ok(test, conversations_set_read(test->db, people.bert, &membership));
	check_ok(test, db_commit(test->db, NULL));
	check_ok(test, conversations_own_membership(test->db, id, people.bert, &membership, &fault));
	assert_string_equal(membership.conversation_id, id);
	assert_int_equal(membership.read_seq, 2);
	assert_int_equal(membership.user_rev, 9);
	assert_int_equal(membership.member_rev, 1);
	assert_int_equal(membership.head, 4);
	assert_false(membership.left);
	assert_int_equal(membership.delivered_seq, 3);
	assert_int_equal(membership.last_seq, 3);
	assert_int_equal(membership.member_count, 2);
	assert_int_equal(unread(test, id, people.bert), 1);

	check_ok(test, conversations_own_membership(test->db, id, people.anna, &membership, &fault));
	assert_int_equal(membership.read_seq, 0); /* nobody else's moved */
	membership.delivered_seq = 1;
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, conversations_set_delivered(test->db, people.anna, &membership));
	check_ok(test, db_commit(test->db, NULL));
	check_ok(test, conversations_own_membership(test->db, id, people.anna, &membership, &fault));
	assert_int_equal(membership.delivered_seq, 1);
	chat_change(test, "UPDATE members SET left_at = 1 WHERE user_id = $1", people.anna, NULL);
	check_status(conversations_own_membership(test->db, id, people.anna, &membership, &fault), ERR_NOT_FOUND);
	assert_string_equal(fault.code, "conversation_not_found");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DATABASE(a_direct_conversation_is_made_once),
		WITH_DATABASE(a_direct_conversation_needs_two_people),
		WITH_DATABASE(notes_to_self_have_one_member),
		WITH_DATABASE(only_members_see_it),
		WITH_DATABASE(unread_is_what_others_wrote_since),
		WITH_DATABASE(the_newest_activity_comes_first),
		WITH_DATABASE(a_list_is_the_callers_own),
		WITH_DATABASE(heads_of_all_memberships),
		WITH_DATABASE(what_changed_since_a_position),
		WITH_DATABASE(heads_by_channel),
		WITH_DATABASE(counters_advance_together),
		WITH_DATABASE(a_membership_carries_its_read_cursor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
