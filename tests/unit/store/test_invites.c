/* Invites: open until they are used, revoked or past their time, whichever comes first, and used once. */
#include "support/chat.h"

#include "store/invites.h"

static struct invite
make_invite(struct test_database *test, const char *hash, const char *note)
{
	struct invite invite = {.note = note,
				.created_by = "operator:root",
				.created_at_ms = CHAT_NOW_MS,
				.expires_at_ms = CHAT_NOW_MS + 1000};

	id_make(invite.id);
	snprintf(invite.code_hash, sizeof invite.code_hash, "%s", hash);
	chat_write(test, invites_insert(test->db, &invite));
	return invite;
}

static enum status
find(struct test_database *test, const char *hash, int64_t now_ms, const char *wanted_id)
{
	char id[ID_SIZE] = "";
	enum status status = invites_find_open(test->db, hash, now_ms, id);

	if (status == OK)
		assert_string_equal(id, wanted_id);
	return status;
}

/* In a transaction that goes on, whatever is answered. */
static enum status
use(struct test_database *test, const char *invite_id, const char *user_id)
{
	enum status status;

	check_ok(test, db_begin(test->db, DB_WRITE));
	status = invites_use(test->db, invite_id, user_id, CHAT_NOW_MS + 5);
	check_ok(test, db_commit(test->db, NULL));
	return status;
}

static enum status
take_back(struct test_database *test, const char *invite_id, bool *ret_changed)
{
	enum status status;

	check_ok(test, db_begin(test->db, DB_WRITE));
	status = invites_revoke(test->db, invite_id, CHAT_NOW_MS + 7, ret_changed);
	check_ok(test, db_commit(test->db, NULL));
	return status;
}

static void
one_is_open_until_its_time(void **state)
{
	struct test_database *test = *state;
	struct invite invite = make_invite(test, "hash", NULL), other = make_invite(test, "other", NULL);

	check_status(find(test, "hash", CHAT_NOW_MS, invite.id), OK);
	check_status(find(test, "other", CHAT_NOW_MS, other.id), OK);
	check_status(find(test, "another", CHAT_NOW_MS, NULL), ERR_NOT_FOUND);
	check_status(find(test, "", CHAT_NOW_MS, NULL), ERR_NOT_FOUND);
	check_status(find(test, "hash", invite.expires_at_ms - 1, invite.id), OK);
	check_status(find(test, "hash", invite.expires_at_ms, NULL), ERR_NOT_FOUND);
}

static void
one_is_used_once(void **state)
{
	struct test_database *test = *state;
	struct invite invite = make_invite(test, "hash", NULL), other = make_invite(test, "other", NULL), *list;
	char anna[ID_SIZE], bert[ID_SIZE];
	size_t n;
	bool changed, more;

	chat_make_user(test, "anna", anna);
	chat_make_user(test, "bert", bert);
	check_status(use(test, invite.id, anna), OK);
	check_status(use(test, invite.id, bert), ERR_CONFLICT);
	check_status(use(test, invite.id, anna), ERR_CONFLICT);
	check_status(find(test, "hash", CHAT_NOW_MS, NULL), ERR_NOT_FOUND);
	check_status(take_back(test, invite.id, &changed), OK);
	assert_false(changed);
	check_ok(test, invites_list(test->db, &test->arena, other.id, 10, &list, &n, &more));
	assert_int_equal(n, 1);
	assert_string_equal(list[0].used_by, anna);
	assert_int_equal(list[0].used_at_ms, CHAT_NOW_MS + 5);
	assert_int_equal(list[0].revoked_at_ms, 0);
	check_status(find(test, "other", CHAT_NOW_MS, other.id), OK);
}

static void
a_revoked_one_is_of_no_use(void **state)
{
	struct test_database *test = *state;
	struct invite invite = make_invite(test, "hash", NULL);
	char anna[ID_SIZE];
	bool changed;

	chat_make_user(test, "anna", anna);
	check_status(take_back(test, anna, &changed), ERR_NOT_FOUND);
	check_status(take_back(test, invite.id, &changed), OK);
	assert_true(changed);
	check_status(take_back(test, invite.id, &changed), OK);
	assert_false(changed);
	check_status(find(test, "hash", CHAT_NOW_MS, NULL), ERR_NOT_FOUND);
	check_status(use(test, invite.id, anna), ERR_CONFLICT);
	assert_int_equal(test_database_int64(test, "SELECT count(*) FROM invites WHERE used_by IS NULL"), 1);
}

static void
a_code_belongs_to_one_invite(void **state)
{
	struct test_database *test = *state;
	struct invite invite = make_invite(test, "hash", NULL), second = invite, again = invite;

	id_make(second.id);
	snprintf(again.code_hash, sizeof again.code_hash, "another");
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_status(invites_insert(test->db, &second), ERR_CONFLICT);
	db_rollback(test->db);
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_status(invites_insert(test->db, &again), ERR_CONFLICT);
	db_rollback(test->db);
	assert_int_equal(test_database_int64(test, "SELECT count(*) FROM invites"), 1);
}

static void
pages_go_back_in_time(void **state)
{
	struct test_database *test = *state;
	struct invite invites[] = {make_invite(test, "a", "for Anna"), make_invite(test, "b", NULL),
				   make_invite(test, "c", "for Carl")},
		      *list;
	size_t n;
	bool more;

	check_ok(test, invites_list(test->db, &test->arena, NULL, 2, &list, &n, &more));
	assert_int_equal(n, 2);
	assert_true(more);
	assert_string_equal(list[0].id, invites[2].id);
	assert_string_equal(list[0].note, "for Carl");
	assert_string_equal(list[0].created_by, "operator:root");
	assert_int_equal(list[0].created_at_ms, CHAT_NOW_MS);
	assert_int_equal(list[0].expires_at_ms, CHAT_NOW_MS + 1000);
	assert_string_equal(list[0].used_by, "");
	assert_string_equal(list[0].code_hash, ""); /* nobody needs it who lists them */
	assert_null(list[1].note);
	check_ok(test, invites_list(test->db, &test->arena, list[1].id, 1, &list, &n, &more));
	assert_int_equal(n, 1);
	assert_false(more);
	assert_string_equal(list[0].id, invites[0].id);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DATABASE(one_is_open_until_its_time), WITH_DATABASE(one_is_used_once),
		WITH_DATABASE(a_revoked_one_is_of_no_use), WITH_DATABASE(a_code_belongs_to_one_invite),
		WITH_DATABASE(pages_go_back_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
