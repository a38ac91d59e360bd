/* Personal access tokens: found by their hash while they are good, listed to their owner, and no device's log-in. */
#include "support/chat.h"

#include "store/access_tokens.h"
#include "store/sessions.h"

static struct login_session
make_token(struct test_database *test, const char *user_id, const char *hash, int64_t created_at_ms)
{
	struct login_session token = {
		.name = "nightly report",
		.prefix = "stonechat_pat_01234567",
		.created_at_ms = created_at_ms,
		.expires_at_ms = CHAT_NOW_MS + 1000,
	};

	id_make(token.id);
	memcpy(token.user_id, user_id, ID_SIZE);
	snprintf(token.family_hash, sizeof token.family_hash, "%s", hash);
	snprintf(token.refresh_hash, sizeof token.refresh_hash, "%s", hash);
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, sessions_insert(test->db, &token));
	check_ok(test, db_commit(test->db, NULL));
	return token;
}

static enum status
find(struct test_database *test, const char *hash, int64_t now_ms)
{
	struct login_session found;
	struct fault fault = {0};
	enum status status = access_tokens_find(test->db, hash, now_ms, &found, &fault);

	if (status != OK)
		assert_string_equal(fault.code, "token_invalid");
	return status;
}

static void
a_token_is_found_while_it_is_good(void **state)
{
	struct test_database *test = *state;
	static const struct {
		const char *end, *undo;
	} cases[] = {
		{"UPDATE users SET disabled_at = 1 WHERE id = $1", "UPDATE users SET disabled_at = NULL WHERE id = $1"},
		{"UPDATE users SET deleted_at = 1 WHERE id = $1", "UPDATE users SET deleted_at = NULL WHERE id = $1"},
		{"UPDATE sessions SET revoked_at = 1 WHERE user_id = $1",
		 "UPDATE sessions SET revoked_at = NULL WHERE user_id = $1"},
		{"UPDATE sessions SET kind = 'device' WHERE user_id = $1",
		 "UPDATE sessions SET kind = 'token' WHERE user_id = $1"},
	};
	char anna[ID_SIZE];
	struct login_session token, found;

	chat_make_user(test, "anna", anna);
	token = make_token(test, anna, "hash", CHAT_NOW_MS);
	check_ok(test, access_tokens_find(test->db, "hash", CHAT_NOW_MS, &found, NULL));
	assert_string_equal(found.id, token.id);
	assert_string_equal(found.user_id, anna);
	assert_int_equal(found.expires_at_ms, token.expires_at_ms);
	assert_int_equal(found.last_used_at_ms, 0);
	check_status(find(test, "another hash", CHAT_NOW_MS), ERR_UNAUTHORIZED);
	check_status(find(test, "hash", token.expires_at_ms - 1), OK);
	check_status(find(test, "hash", token.expires_at_ms), ERR_UNAUTHORIZED);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		chat_change(test, cases[i].end, anna, NULL);
		check_status(find(test, "hash", CHAT_NOW_MS), ERR_UNAUTHORIZED);
		chat_change(test, cases[i].undo, anna, NULL);
		check_status(find(test, "hash", CHAT_NOW_MS), OK);
	}
}

static void
tokens_and_devices_are_apart(void **state)
{
	struct test_database *test = *state;
	struct login_session older, newer, *list, found;
	char anna[ID_SIZE], bert[ID_SIZE];
	size_t n;
	bool more;

	chat_make_user(test, "anna", anna);
	chat_make_user(test, "bert", bert);
	older = make_token(test, anna, "older", CHAT_NOW_MS - 5);
	newer = make_token(test, anna, "newer", CHAT_NOW_MS);
	make_token(test, bert, "bert's", CHAT_NOW_MS);
	check_ok(test, access_tokens_list(test->db, &test->arena, anna, CHAT_NOW_MS, &list, &n));
	assert_int_equal(n, 2);
	assert_string_equal(list[0].id, newer.id);
	assert_string_equal(list[1].id, older.id);
	assert_string_equal(list[1].name, "nightly report");
	assert_string_equal(list[1].prefix, "stonechat_pat_01234567");
	check_ok(test, access_tokens_list(test->db, &test->arena, anna, newer.expires_at_ms, &list, &n));
	assert_int_equal(n, 0);
	check_ok(test, sessions_list(test->db, &test->arena, anna, CHAT_NOW_MS, INT64_MAX, "", 10, &list, &n, &more));
	assert_int_equal(n, 0);
	check_status(sessions_get_by_family(test->db, &test->arena, "older", &found), ERR_NOT_FOUND);
}

static void
a_use_is_noted(void **state)
{
	struct test_database *test = *state;
	struct login_session token, found;
	char anna[ID_SIZE];

	chat_make_user(test, "anna", anna);
	token = make_token(test, anna, "hash", CHAT_NOW_MS);
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, access_tokens_set_used(test->db, token.id, CHAT_NOW_MS + 7));
	check_ok(test, db_commit(test->db, NULL));
	check_ok(test, access_tokens_find(test->db, "hash", CHAT_NOW_MS, &found, NULL));
	assert_int_equal(found.last_used_at_ms, CHAT_NOW_MS + 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DATABASE(a_token_is_found_while_it_is_good),
		WITH_DATABASE(tokens_and_devices_are_apart),
		WITH_DATABASE(a_use_is_noted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
