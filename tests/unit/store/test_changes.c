/* Pulls: the state of what changed, never splitting a revision, the head first. */
#include "support/chat.h"

#include "store/changes.h"
#include "store/sessions.h"

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

/* Revision 1: the conversation and two members; 2 to 11: messages 1 to 10. */
static struct direct
make_history(struct test_database *test)
{
	struct direct direct = make_direct(test);

	chat_send(test, direct.id, direct.anna, CHAT_NOW_MS, 10);
	return direct;
}

static void
a_page_never_splits_a_revision(void **state)
{
	struct test_database *test = *state;
	struct direct direct = make_history(test);
	static const struct {
		int64_t after, limit;
		int64_t next;
		size_t n_messages, n_members;
		bool conversation, more;
	} cases[] = {
		{0, 200, 11, 10, 2, true, false},  {0, 13, 11, 10, 2, true, false}, {0, 12, 10, 9, 2, true, true},
		{0, 4, 2, 1, 2, true, true},       {0, 3, 1, 0, 2, true, true},     {0, 2, 1, 0, 2, true, true},
		{0, 1, 1, 0, 2, true, true},       {1, 1, 2, 1, 0, false, true},    {1, 4, 5, 4, 0, false, true},
		{1, 10, 11, 10, 0, false, false},  {10, 1, 11, 1, 0, false, false}, {11, 200, 11, 0, 0, false, false},
		{99, 200, 11, 0, 0, false, false},
	};
	struct changes changes;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *readers[] = {direct.bert, NULL}; /* a member, and the hub */

		for (size_t reader = 0; reader < 2; reader++) {
			check_ok(test, changes_of_conversation(test->db, &test->arena, direct.id, readers[reader],
							       cases[i].after, cases[i].limit, &changes, NULL));
			assert_int_equal(changes.after_rev, cases[i].after);
			assert_int_equal(changes.next_after_rev, cases[i].next);
			assert_int_equal(changes.last_rev, 11);
			assert_int_equal(changes.n_messages, cases[i].n_messages);
			assert_int_equal(changes.n_members, cases[i].n_members);
			assert_int_equal(changes.conversation != NULL, cases[i].conversation);
			assert_int_equal(changes.has_more, cases[i].more);
			assert_false(changes.snapshot);
		}
	}
}

static void
pages_add_up_to_the_whole(void **state)
{
	struct test_database *test = *state;
	struct direct direct = make_history(test);

	for (int64_t limit = 1; limit <= 14; limit++) {
		struct changes changes = {.has_more = true};
		int64_t seq = 0;
		int pages = 0;

		while (changes.has_more) {
			check_ok(test, changes_of_conversation(test->db, &test->arena, direct.id, direct.anna,
							       changes.next_after_rev, limit, &changes, NULL));
			for (size_t i = 0; i < changes.n_messages; i++)
				assert_int_equal(changes.messages[i].seq, ++seq);
			assert_true(++pages < 20);
		}
		assert_int_equal(seq, 10);
		assert_int_equal(changes.next_after_rev, 11);
	}
}

/* A row is told once, where its last change stands. */
static void
an_edited_message_moves_to_its_new_revision(void **state)
{
	struct test_database *test = *state;
	struct direct direct = make_history(test);
	struct changes changes;
	int64_t last_seq, last_rev;

	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, conversations_advance(test->db, direct.id, 0, 1, &last_seq, &last_rev));
	check_ok(test, db_run_script(test->db,
				     "UPDATE messages SET rev = 12, content = 'edited', edited_at = 5 WHERE seq = 3"));
	check_ok(test, db_commit(test->db, NULL));
	check_ok(test, changes_of_conversation(test->db, &test->arena, direct.id, direct.anna, 1, 200, &changes, NULL));
	assert_int_equal(changes.n_messages, 10);
	assert_int_equal(changes.messages[9].seq, 3);
	assert_string_equal(changes.messages[9].content, "edited");
	check_ok(test,
		 changes_of_conversation(test->db, &test->arena, direct.id, direct.anna, 11, 200, &changes, NULL));
	assert_int_equal(changes.n_messages, 1);
}

static void
members_who_left_are_told(void **state)
{
	struct test_database *test = *state;
	struct direct direct = make_history(test);
	struct changes changes;
	struct fault fault = {0};
	int64_t last_seq, last_rev;

	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, conversations_advance(test->db, direct.id, 0, 1, &last_seq, &last_rev));
	check_ok(test, db_commit(test->db, NULL));
	chat_change(test, "UPDATE members SET left_at = 9, rev = 12, left_rev = 12 WHERE user_id = $1", direct.bert,
		    NULL);
	check_ok(test,
		 changes_of_conversation(test->db, &test->arena, direct.id, direct.anna, 11, 200, &changes, NULL));
	assert_int_equal(changes.n_members, 1);
	assert_string_equal(changes.members[0].user_id, direct.bert);
	assert_int_equal(changes.members[0].left_at_ms, 9);
	check_status(changes_of_conversation(test->db, &test->arena, direct.id, direct.bert, 11, 200, &changes, &fault),
		     ERR_NOT_FOUND);
	assert_string_equal(fault.code, "conversation_not_found");
	check_status(changes_of_conversation(test->db, &test->arena, "none", NULL, 0, 200, &changes, &fault),
		     ERR_NOT_FOUND);
}

static void
a_deleted_conversation_is_told_to_the_hub_alone(void **state)
{
	struct test_database *test = *state;
	struct direct direct = make_direct(test);
	struct changes changes;

	chat_change(test, "UPDATE conversations SET deleted_at = 7, rev = 2, last_rev = 2 WHERE id = $1", direct.id,
		    NULL);
	check_ok(test, changes_of_conversation(test->db, &test->arena, direct.id, NULL, 1, 200, &changes, NULL));
	assert_non_null(changes.conversation);
	assert_int_equal(changes.conversation->deleted_at_ms, 7);
	check_status(changes_of_conversation(test->db, &test->arena, direct.id, direct.anna, 1, 200, &changes, NULL),
		     ERR_NOT_FOUND);
}

/* A hub detaches by a revision that is above the member's own. */
static void
a_deleted_conversation_is_told_with_its_own_revision(void **state)
{
	struct test_database *test = *state;
	struct direct direct = make_direct(test);
	struct person_changes changes;

	chat_change(test, "UPDATE conversations SET deleted_at = 7, rev = 2, last_rev = 2 WHERE id = $1", direct.id,
		    NULL);
	check_ok(test, changes_of_person(test->db, &test->arena, direct.anna, 0, 200, &changes));
	assert_int_equal(changes.n_memberships, 1);
	assert_true(changes.memberships[0].left);
	assert_int_equal(changes.memberships[0].member_rev, 2);
}

static void
a_snapshot_starts_at_the_head(void **state)
{
	struct test_database *test = *state;
	struct direct direct = make_direct(test);
	struct changes changes;
	struct fault fault = {0};
	char cleo[ID_SIZE];
	int64_t head;

	chat_send(test, direct.id, direct.anna, CHAT_NOW_MS, 70);
	check_ok(test, changes_snapshot(test->db, &test->arena, direct.id, direct.bert, &changes, &head, NULL));
	assert_true(changes.snapshot);
	assert_int_equal(head, 71);
	assert_int_equal(changes.last_rev, 71);
	assert_int_equal(changes.next_after_rev, 71);
	assert_int_equal(changes.n_messages, 50);
	assert_int_equal(changes.messages[0].seq, 21);
	assert_int_equal(changes.messages[49].seq, 70);
	assert_int_equal(changes.conversation->unread_count, 70);
	assert_int_equal(changes.conversation->n_members, 2);

	chat_make_user(test, "cleo", cleo);
	head = 0;
	check_status(changes_snapshot(test->db, &test->arena, direct.id, cleo, &changes, &head, &fault), ERR_NOT_FOUND);
	assert_int_equal(head, 71); /* conversation.removed carries it */
	check_status(changes_snapshot(test->db, &test->arena, "none", cleo, &changes, &head, &fault), ERR_NOT_FOUND);
	assert_int_equal(head, 0);
}

static void
memberships_of_a_person(void **state)
{
	struct test_database *test = *state;
	char anna[ID_SIZE], other[ID_SIZE], ids[5][ID_SIZE];
	struct person_changes changes = {.has_more = true};
	size_t seen = 0;

	chat_make_user(test, "anna", anna);
	for (int i = 0; i < 5; i++) {
		chat_make_user(test, arena_printf(&test->arena, "other%d", i), other);
		chat_make_direct(test, anna, other, CHAT_NOW_MS, ids[i]);
	}
	chat_send(test, ids[2], anna, CHAT_NOW_MS, 3);
	chat_change(test, "UPDATE members SET left_at = 9 WHERE conversation_id = $1", ids[3], NULL);
	chat_change(test, "UPDATE conversations SET deleted_at = 9 WHERE id = $1", ids[4], NULL);
	while (changes.has_more) {
		check_ok(test, changes_of_person(test->db, &test->arena, anna, changes.next_after_rev, 2, &changes));
		assert_int_equal(changes.last_rev, 5);
		for (size_t i = 0; i < changes.n_memberships; i++, seen++) {
			const struct membership *membership = &changes.memberships[i];

			assert_string_equal(membership->conversation_id, ids[seen]);
			assert_int_equal(membership->user_rev, seen + 1);
			assert_int_equal(membership->member_rev, 1);
			assert_int_equal(membership->left, seen >= 3);
			assert_int_equal(membership->head, seen == 2 ? 4 : 1);
		}
	}
	assert_int_equal(seen, 5);
	assert_int_equal(changes.next_after_rev, 5);
}

/* A revoked session has no row to be told: the page ends at the head all the same. */
static void
a_revision_without_a_membership_is_passed_over(void **state)
{
	struct test_database *test = *state;
	struct direct direct = make_direct(test);
	struct person_changes changes;
	int64_t rev;

	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, users_advance(test->db, direct.anna, &rev));
	check_ok(test, db_commit(test->db, NULL));
	check_ok(test, changes_of_person(test->db, &test->arena, direct.anna, 1, 200, &changes));
	assert_int_equal(changes.n_memberships, 0);
	assert_int_equal(changes.next_after_rev, 2);
	assert_false(changes.has_more);
	check_status(changes_of_person(test->db, &test->arena, "nobody", 0, 200, &changes), ERR_NOT_FOUND);
}

static void
make_session(struct test_database *test, const char *user_id, const char *hash, char ret_id[ID_SIZE])
{
	struct login_session session = {.created_at_ms = CHAT_NOW_MS, .expires_at_ms = CHAT_NOW_MS + 1000};

	id_make(session.id);
	memcpy(session.user_id, user_id, ID_SIZE);
	snprintf(session.family_hash, sizeof session.family_hash, "%s", hash);
	snprintf(session.refresh_hash, sizeof session.refresh_hash, "%s", hash);
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, sessions_insert(test->db, &session));
	check_ok(test, db_commit(test->db, NULL));
	memcpy(ret_id, session.id, ID_SIZE);
}

/* What push closes sockets by. */
static void
log_ins_end_by_revocation_or_with_their_person(void **state)
{
	struct test_database *test = *state;
	struct direct direct = make_direct(test);
	char revoked[ID_SIZE], other[ID_SIZE], of_bert[ID_SIZE];
	static const char *const ends[] = {"UPDATE users SET disabled_at = 9 WHERE id = $1",
					   "UPDATE users SET disabled_at = NULL, deleted_at = 9 WHERE id = $1"};
	struct person_changes changes;
	int64_t rev;
	bool changed;

	make_session(test, direct.anna, "one", revoked);
	make_session(test, direct.anna, "two", other);
	make_session(test, direct.bert, "three", of_bert);
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, users_advance(test->db, direct.anna, &rev));
	check_ok(test, sessions_revoke(test->db, revoked, direct.anna, rev, CHAT_NOW_MS, &changed));
	check_ok(test, db_commit(test->db, NULL));
	check_ok(test, changes_of_person(test->db, &test->arena, direct.anna, rev - 1, 200, &changes));
	assert_int_equal(changes.n_revoked_sessions, 1);
	assert_string_equal(changes.revoked_session_ids[0], revoked);
	check_ok(test, changes_of_person(test->db, &test->arena, direct.anna, rev, 200, &changes));
	assert_int_equal(changes.n_revoked_sessions, 0);
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		chat_change(test, ends[i], direct.anna, NULL);
		check_ok(test, changes_of_person(test->db, &test->arena, direct.anna, rev, 200, &changes));
		assert_int_equal(changes.n_revoked_sessions, 2);
		check_ok(test, changes_of_person(test->db, &test->arena, direct.bert, 0, 200, &changes));
		assert_int_equal(changes.n_revoked_sessions, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DATABASE(a_page_never_splits_a_revision),
		WITH_DATABASE(pages_add_up_to_the_whole),
		WITH_DATABASE(an_edited_message_moves_to_its_new_revision),
		WITH_DATABASE(members_who_left_are_told),
		WITH_DATABASE(a_deleted_conversation_is_told_to_the_hub_alone),
		WITH_DATABASE(a_deleted_conversation_is_told_with_its_own_revision),
		WITH_DATABASE(a_snapshot_starts_at_the_head),
		WITH_DATABASE(memberships_of_a_person),
		WITH_DATABASE(a_revision_without_a_membership_is_passed_over),
		WITH_DATABASE(log_ins_end_by_revocation_or_with_their_person),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
