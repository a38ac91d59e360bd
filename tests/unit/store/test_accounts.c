/* Accounts as administrators see them: found whatever became of them, listed by state, and what an act does to the rows. */
#include "support/chat.h"

#include "store/accounts.h"
#include "store/blocks.h"

/* The keys on a page, with commas. */
static const char *
list(struct test_database *test, struct accounts_filter filter, const char *after_key, int64_t limit, bool *ret_more)
{
	struct user *users;
	const char *text = "";
	size_t n;

	check_ok(test, accounts_list(test->db, &test->arena, &filter, after_key, limit, &users, &n, ret_more));
	for (size_t i = 0; i < n; i++)
		text = arena_printf(&test->arena, "%s%s%s", text, i ? "," : "", users[i].username_key);
	return text;
}

static void
everybody_is_found(void **state)
{
	struct test_database *test = *state;
	char anna[ID_SIZE];
	struct user user;
	struct fault fault = {0};

	chat_make_user(test, "anna", anna);
	chat_change(test, "UPDATE users SET deleted_at = 5, disabled_at = 4 WHERE id = $1", anna, NULL);
	check_ok(test, accounts_get(test->db, &test->arena, anna, &user, NULL));
	assert_string_equal(user.username, "anna");
	assert_int_equal(user.deleted_at_ms, 5);
	assert_int_equal(user.disabled_at_ms, 4);
	check_ok(test, accounts_find(test->db, &test->arena, "anna", &user));
	assert_string_equal(user.id, anna);
	check_status(accounts_find(test->db, &test->arena, "ann", &user), ERR_NOT_FOUND);
	id_make(anna);
	check_status(accounts_get(test->db, &test->arena, anna, &user, &fault), ERR_NOT_FOUND);
	assert_string_equal(fault.code, "user_not_found");
}

/* Anna is active, Bert disabled, Carl deleted after he had been disabled, and Anton deleted. */
static void
make_people(struct test_database *test)
{
	char id[ID_SIZE];

	chat_make_user(test, "anna", NULL);
	chat_make_user(test, "bert", id);
	chat_write(test, accounts_set_disabled(test->db, id, 5));
	chat_make_user(test, "carl", id);
	chat_write(test, accounts_set_disabled(test->db, id, 5));
	chat_write(test, accounts_erase(test->db, id, 6));
	chat_make_user(test, "anton", id);
	chat_write(test, accounts_erase(test->db, id, 6));
}

static void
a_list_is_of_one_state(void **state)
{
	static const char *const cases[][2] = {{"all", "anna,anton,bert,carl"},
					       {"active", "anna"},
					       {"disabled", "bert"},
					       {"deleted", "anton,carl"},
					       {"other", ""}};
	struct test_database *test = *state;
	bool more;

	make_people(test);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_string_equal(list(test, (struct accounts_filter){"", cases[i][0]}, "", 10, &more), cases[i][1]);
		assert_int_equal(accounts_state_is_known(cases[i][0]), i < 4);
	}
	assert_false(accounts_state_is_known(""));
	assert_false(accounts_state_is_known("Active"));
}

static void
a_list_goes_on_where_it_ended(void **state)
{
	struct test_database *test = *state;
	bool more;

	make_people(test);
	assert_string_equal(list(test, (struct accounts_filter){"", "all"}, "", 3, &more), "anna,anton,bert");
	assert_true(more);
	assert_string_equal(list(test, (struct accounts_filter){"", "all"}, "bert", 3, &more), "carl");
	assert_false(more);
	assert_string_equal(list(test, (struct accounts_filter){"", "all"}, "", 4, &more), "anna,anton,bert,carl");
	assert_false(more);
	assert_string_equal(list(test, (struct accounts_filter){"", "all"}, "carl", 3, &more), "");
}

static void
a_prefix_is_of_either_name(void **state)
{
	struct test_database *test = *state;
	bool more;

	make_people(test);
	assert_string_equal(list(test, (struct accounts_filter){"an", "all"}, "", 10, &more), "anna");
	assert_string_equal(list(test, (struct accounts_filter){"name of b", "all"}, "", 10, &more), "bert");
	assert_string_equal(list(test, (struct accounts_filter){"name of", "active"}, "", 10, &more), "anna");
	assert_string_equal(list(test, (struct accounts_filter){"del", "all"}, "", 10, &more), "anton,carl");
	assert_string_equal(list(test, (struct accounts_filter){"%", "all"}, "", 10, &more), "");
	assert_string_equal(list(test, (struct accounts_filter){"annab", "all"}, "", 10, &more), "");
}

static void
administrators_are_those_who_can_log_in(void **state)
{
	struct test_database *test = *state;
	char anna[ID_SIZE], bert[ID_SIZE], carl[ID_SIZE], (*ids)[ID_SIZE];
	size_t n;
	bool has;

	chat_make_user(test, "anna", anna); /* the first is one */
	chat_make_user(test, "bert", bert);
	chat_make_user(test, "carl", carl);
	check_ok(test, accounts_has_other_admin(test->db, anna, &has));
	assert_false(has);
	check_ok(test, accounts_has_other_admin(test->db, bert, &has));
	assert_true(has);
	chat_write(test, accounts_set_role(test->db, bert, "admin"));
	chat_write(test, accounts_set_role(test->db, carl, "admin"));
	check_ok(test, accounts_active_admins(test->db, &test->arena, &ids, &n));
	assert_int_equal(n, 3);
	assert_true(strcmp(ids[0], ids[1]) < 0 && strcmp(ids[1], ids[2]) < 0);
	chat_write(test, accounts_set_disabled(test->db, bert, 5));
	chat_write(test, accounts_erase(test->db, carl, 5));
	chat_change(test, "UPDATE users SET role = 'admin' WHERE id = $1", carl, NULL);
	check_ok(test, accounts_active_admins(test->db, &test->arena, &ids, &n));
	assert_int_equal(n, 1);
	assert_string_equal(ids[0], anna);
	check_ok(test, accounts_has_other_admin(test->db, anna, &has));
	assert_false(has);
	chat_write(test, accounts_set_disabled(test->db, bert, 0));
	check_ok(test, accounts_has_other_admin(test->db, anna, &has));
	assert_true(has);
}

static void
an_act_is_on_one_row(void **state)
{
	struct test_database *test = *state;
	char anna[ID_SIZE], bert[ID_SIZE];
	const char *hash;
	struct user user;

	chat_make_user(test, "anna", anna);
	chat_make_user(test, "bert", bert);
	chat_write(test, accounts_reset_password(test->db, bert, "one-time"));
	chat_write(test, accounts_set_disabled(test->db, bert, 7));
	check_ok(test, accounts_get(test->db, &test->arena, bert, &user, NULL));
	assert_true(user.must_change_password);
	assert_int_equal(user.disabled_at_ms, 7);
	check_ok(test, users_get_by_name(test->db, &test->arena, "bert", &user, &hash));
	assert_string_equal(hash, "one-time");
	check_ok(test, users_get_by_name(test->db, &test->arena, "anna", &user, &hash));
	assert_string_equal(hash, "hash");
	assert_string_equal(user.role, "admin");
	assert_false(user.must_change_password);
	assert_int_equal(user.disabled_at_ms, 0);
}

static void
who_is_erased_leaves_a_key(void **state)
{
	struct test_database *test = *state;
	struct block block = {.blocked = true, .user_rev = 1};
	char anna[ID_SIZE], bert[ID_SIZE];
	struct user user, other = {.username = "bert", .username_key = "bert", .display_name = "Bert"};
	struct fault fault = {0};

	chat_make_user(test, "anna", anna);
	chat_make_user(test, "bert", bert);
	chat_write(test, accounts_set_role(test->db, bert, "admin"));
	chat_log_in(test, anna, "anna's", "report");
	chat_log_in(test, bert, "bert's", "report");
	memcpy(block.user_id, anna, ID_SIZE);
	chat_write(test, blocks_set(test->db, bert, &block, CHAT_NOW_MS));
	memcpy(block.user_id, bert, ID_SIZE);
	chat_write(test, blocks_set(test->db, anna, &block, CHAT_NOW_MS));
	chat_write(test, accounts_erase(test->db, bert, CHAT_NOW_MS));
	check_ok(test, accounts_find(test->db, &test->arena, "bert", &user));
	assert_string_equal(user.username, "deleted");
	assert_string_equal(user.display_name, "deleted user");
	assert_string_equal(user.role, "member");
	assert_int_equal(user.deleted_at_ms, CHAT_NOW_MS);
	assert_int_equal(test_database_int64(test, "SELECT count(*) FROM users WHERE password_hash = 'hash'"), 1);
	assert_int_equal(test_database_int64(test, "SELECT count(*) FROM users WHERE display_name_key LIKE '%bert%'"),
			 0);
	assert_int_equal(test_database_int64(test, "SELECT count(*) FROM sessions WHERE user_agent IS NULL AND"
						   " address IS NULL AND name IS NULL AND prefix IS NULL"),
			 1);
	assert_int_equal(test_database_int64(test, "SELECT count(*) FROM sessions WHERE name = 'report'"), 1);
	assert_int_equal(test_database_int64(test, "SELECT count(*) FROM blocks"), 1); /* Anna's is hers */
	id_make(other.id);
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_status(users_insert(test->db, &other, "hash", &fault), ERR_CONFLICT);
	db_rollback(test->db);
	assert_string_equal(fault.code, "username_taken");
}

static void
log_ins_live_until_they_end(void **state)
{
	struct test_database *test = *state;
	struct login_session device, token, ended;
	char anna[ID_SIZE], bert[ID_SIZE], (*ids)[ID_SIZE];
	size_t n;

	chat_make_user(test, "anna", anna);
	chat_make_user(test, "bert", bert);
	device = chat_log_in(test, anna, "device", NULL);
	token = chat_log_in(test, anna, "token", "report");
	ended = chat_log_in(test, anna, "ended", NULL);
	chat_log_in(test, bert, "bert's", NULL);
	chat_change(test, "UPDATE sessions SET revoked_at = 1 WHERE id = $1", ended.id, NULL);
	check_ok(test, accounts_live_sessions(test->db, &test->arena, anna, device.expires_at_ms - 1, &ids, &n));
	assert_int_equal(n, 2);
	for (size_t i = 0; i < n; i++)
		assert_true(strcmp(ids[i], device.id) == 0 || strcmp(ids[i], token.id) == 0);
	check_ok(test, accounts_live_sessions(test->db, &test->arena, anna, device.expires_at_ms, &ids, &n));
	assert_int_equal(n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DATABASE(everybody_is_found),
		WITH_DATABASE(a_list_is_of_one_state),
		WITH_DATABASE(a_list_goes_on_where_it_ended),
		WITH_DATABASE(a_prefix_is_of_either_name),
		WITH_DATABASE(administrators_are_those_who_can_log_in),
		WITH_DATABASE(an_act_is_on_one_row),
		WITH_DATABASE(who_is_erased_leaves_a_key),
		WITH_DATABASE(log_ins_live_until_they_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
