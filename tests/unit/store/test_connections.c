/* Table connections: the newest by last_seen stays, strangers have no row, and who is in a conversation. */
#include "support/chat.h"

#include "store/connections.h"

static void
save(struct test_database *test, const char *user_id, enum presence_status status, int64_t seen_ms)
{
	struct presence presence = {.status = status, .last_seen_ms = seen_ms};

	memcpy(presence.user_id, user_id, ID_SIZE);
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, connections_save(test->db, &presence));
	check_ok(test, db_commit(test->db, NULL));
}

static int64_t
last_seen(struct test_database *test, const char *user_id, bool *ret_exists)
{
	struct presence presence = {0};

	memcpy(presence.user_id, user_id, ID_SIZE);
	check_ok(test, connections_last_seen(test->db, &presence, 1, ret_exists));
	return presence.last_seen_ms;
}

static void
the_newest_stays(void **state)
{
	struct test_database *test = *state;
	char anna[ID_SIZE];
	bool exists;

	chat_make_user(test, "anna", anna);
	assert_int_equal(last_seen(test, anna, &exists), 0);
	assert_true(exists);
	save(test, anna, PRESENCE_ONLINE, 1000);
	save(test, anna, PRESENCE_OFFLINE, 3000);
	save(test, anna, PRESENCE_ONLINE, 2000); /* of another process, written later */
	assert_int_equal(last_seen(test, anna, &exists), 3000);
}

static void
a_stranger_is_passed_over(void **state)
{
	struct test_database *test = *state;
	char nobody[ID_SIZE];
	bool exists;

	id_make(nobody);
	save(test, nobody, PRESENCE_ONLINE, 1000);
	assert_int_equal(last_seen(test, nobody, &exists), 0);
	assert_false(exists);
}

static void
members_are_those_who_have_not_left(void **state)
{
	struct test_database *test = *state;
	char anna[ID_SIZE], bert[ID_SIZE], id[ID_SIZE];
	char(*ids)[ID_SIZE];
	size_t n;

	chat_make_user(test, "anna", anna);
	chat_make_user(test, "bert", bert);
	chat_make_direct(test, anna, bert, CHAT_NOW_MS, id);
	check_ok(test, connections_member_ids(test->db, &test->arena, id, &ids, &n));
	assert_int_equal(n, 2);
	check_ok(test, connections_member_ids(test->db, &test->arena, anna, &ids, &n));
	assert_int_equal(n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DATABASE(the_newest_stays),
		WITH_DATABASE(a_stranger_is_passed_over),
		WITH_DATABASE(members_are_those_who_have_not_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
