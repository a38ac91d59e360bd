/* Sessions: who may call, rotation of the refresh token, revocation. */
#include "support/chat.h"

#include "store/meta.h"
#include "store/sessions.h"

static struct login_session
make_session(struct test_database *test, const char *user_id, const char *refresh_hash)
{
	return chat_log_in(test, user_id, refresh_hash, NULL);
}

static void
who_may_call(void **state)
{
	struct test_database *test = *state;
	char anna[ID_SIZE], bert[ID_SIZE];
	struct login_session session;
	struct caller caller;
	struct fault fault = {0};

	chat_make_user(test, "anna", anna);
	chat_make_user(test, "bert", bert);
	session = make_session(test, bert, "hash");
	check_ok(test, sessions_check(test->db, session.id, bert, CHAT_NOW_MS, &caller, NULL));
	assert_string_equal(caller.user_id, bert);
	assert_string_equal(caller.session_id, session.id);
	assert_string_equal(caller.role, "member");

	check_status(sessions_check(test->db, session.id, anna, CHAT_NOW_MS, &caller, &fault), ERR_UNAUTHORIZED);
	assert_string_equal(fault.code, "session_ended");
	check_status(sessions_check(test->db, "no such session", bert, CHAT_NOW_MS, &caller, &fault), ERR_UNAUTHORIZED);
	check_ok(test, sessions_check(test->db, session.id, bert, session.expires_at_ms - 1, &caller, &fault));
	check_status(sessions_check(test->db, session.id, bert, session.expires_at_ms, &caller, &fault),
		     ERR_UNAUTHORIZED);
}

static struct standing
standing_of(struct test_database *test, const struct login_session *session, const char *conversation_id)
{
	const struct standing_question question = {session->id, session->user_id, CHAT_NOW_MS, conversation_id};
	struct standing standing;
	struct caller caller;

	check_ok(test, sessions_standing(test->db, &question, &caller, &standing, NULL));
	assert_string_equal(caller.user_id, session->user_id);
	assert_string_equal(caller.session_id, session->id);
	assert_string_equal(caller.role, "member");
	assert_false(caller.must_change_password);
	return standing;
}

/* Whether a statement changes the stamp of the names; it must do what it does. */
static bool
stamps(struct test_database *test, const struct login_session *session, const char *sql, const char *user_id)
{
	struct standing before = standing_of(test, session, NULL);

	chat_change(test, sql, user_id, NULL);
	return strcmp(before.names, standing_of(test, session, NULL).names) != 0;
}

static void
each_change_of_a_name_has_another_stamp(void **state)
{
	struct test_database *test = *state;
	char anna[ID_SIZE], bert[ID_SIZE], cleo[ID_SIZE], dora[ID_SIZE];
	struct login_session session;
	struct standing first;

	chat_make_user(test, "anna", anna);
	chat_make_user(test, "dora", dora);
	session = make_session(test, dora, "hash");
	first = standing_of(test, &session, NULL);
	assert_true(strlen(first.names) >= 32);
	chat_make_user(test, "bert", bert);
	chat_make_user(test, "cleo", cleo);
	assert_string_equal(standing_of(test, &session, NULL).names, first.names);

	assert_true(stamps(test, &session, "UPDATE users SET display_name = 'Bert' WHERE id = $1", bert));
	assert_false(stamps(test, &session, "UPDATE users SET display_name = 'Bert' WHERE id = $1", bert));
	assert_true(stamps(test, &session, "UPDATE users SET display_name = 'bert' WHERE id = $1", bert));
	assert_string_not_equal(standing_of(test, &session, NULL).names, first.names); /* it never comes back */
	assert_true(stamps(test, &session, "UPDATE users SET username = 'bertha' WHERE id = $1", bert));
	assert_false(stamps(test, &session, "UPDATE users SET password_hash = 'x', last_rev = 9 WHERE id = $1", bert));
	assert_true(stamps(test, &session, "UPDATE users SET deleted_at = 1 WHERE id = $1", bert));
	assert_true(stamps(test, &session, "DELETE FROM users WHERE id = $1", cleo));
}

static void
where_the_caller_stands(void **state)
{
	struct test_database *test = *state;
	char anna[ID_SIZE], bert[ID_SIZE], cleo[ID_SIZE], talk[ID_SIZE], epoch[EVENT_EPOCH_SIZE];
	struct login_session of_bert, of_cleo;

	chat_make_user(test, "anna", anna);
	chat_make_user(test, "bert", bert);
	chat_make_user(test, "cleo", cleo);
	of_bert = make_session(test, bert, "hash");
	of_cleo = make_session(test, cleo, "another hash");
	chat_make_direct(test, anna, bert, CHAT_NOW_MS, talk);
	check_ok(test, meta_epoch(test->db, epoch));
	for (int64_t seq = 0; seq < 3; seq++) {
		struct standing standing = standing_of(test, &of_bert, talk);

		assert_string_equal(standing.epoch, epoch);
		assert_string_equal(standing.head.conversation_id, talk);
		assert_int_equal(standing.head.last_seq, seq);
		assert_int_equal(standing.head.last_rev, 1 + seq);
		assert_int_equal(standing.head.member_rev, 1);
		assert_int_equal(standing.member_user_rev, 1);
		chat_send(test, talk, anna, CHAT_NOW_MS, 1);
	}

	assert_string_equal(standing_of(test, &of_bert, NULL).head.conversation_id, "");
	assert_string_equal(standing_of(test, &of_bert, NULL).epoch, epoch);
	assert_string_equal(standing_of(test, &of_bert, bert).head.conversation_id, "");
	assert_string_equal(standing_of(test, &of_cleo, talk).head.conversation_id, "");
	chat_change(test, "UPDATE members SET left_at = 1 WHERE user_id = $1", bert, NULL);
	assert_string_equal(standing_of(test, &of_bert, talk).head.conversation_id, "");
	chat_change(test, "UPDATE members SET left_at = NULL WHERE user_id = $1", bert, NULL);
	assert_string_equal(standing_of(test, &of_bert, talk).head.conversation_id, talk);
	chat_change(test, "UPDATE conversations SET deleted_at = 1 WHERE id = $1", talk, NULL);
	assert_string_equal(standing_of(test, &of_bert, talk).head.conversation_id, "");
}

static void
what_ends_a_session(void **state)
{
	struct test_database *test = *state;
	static const struct {
		const char *end, *undo;
	} cases[] = {
		{"UPDATE users SET disabled_at = 1 WHERE id = $1", "UPDATE users SET disabled_at = NULL WHERE id = $1"},
		{"UPDATE users SET deleted_at = 1 WHERE id = $1", "UPDATE users SET deleted_at = NULL WHERE id = $1"},
		{"UPDATE sessions SET revoked_at = 1 WHERE user_id = $1",
		 "UPDATE sessions SET revoked_at = NULL WHERE user_id = $1"},
	};
	char anna[ID_SIZE];
	struct login_session session;
	struct standing standing;
	struct caller caller;

	chat_make_user(test, "anna", anna);
	session = make_session(test, anna, "hash");

	const struct standing_question question = {session.id, anna, CHAT_NOW_MS, NULL};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_ok(test, sessions_check(test->db, session.id, anna, CHAT_NOW_MS, &caller, NULL));
		assert_string_equal(caller.role, "admin");
		chat_change(test, cases[i].end, anna, NULL);
		check_status(sessions_check(test->db, session.id, anna, CHAT_NOW_MS, &caller, NULL), ERR_UNAUTHORIZED);
		check_status(sessions_standing(test->db, &question, &caller, &standing, NULL), ERR_UNAUTHORIZED);
		chat_change(test, cases[i].undo, anna, NULL);
	}
}

static void
a_session_is_found_by_the_family_of_its_tokens(void **state)
{
	struct test_database *test = *state;
	struct login_session session, found;
	char anna[ID_SIZE];

	chat_make_user(test, "anna", anna);
	session = make_session(test, anna, "one");
	make_session(test, anna, "another device");
	check_ok(test, sessions_get_by_family(test->db, &test->arena, "family of one", &found));
	assert_string_equal(found.id, session.id);
	assert_string_equal(found.user_id, anna);
	assert_string_equal(found.user_agent, "curl");
	assert_string_equal(found.address, "127.0.0.1");
	assert_string_equal(found.previous_hash, "");
	assert_int_equal(found.expires_at_ms, session.expires_at_ms);
	assert_int_equal(found.rotated_at_ms, 0);

	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, sessions_rotate(test->db, session.id, "two", "one", CHAT_NOW_MS + 5));
	check_ok(test, db_commit(test->db, NULL));
	check_ok(test, sessions_get_by_family(test->db, &test->arena, "family of one", &found));
	assert_string_equal(found.refresh_hash, "two");
	assert_string_equal(found.previous_hash, "one");
	assert_int_equal(found.rotated_at_ms, CHAT_NOW_MS + 5);
	assert_int_equal(found.last_used_at_ms, CHAT_NOW_MS + 5);
	check_status(sessions_get_by_family(test->db, &test->arena, "family of two", &found), ERR_NOT_FOUND);
}

static void
revoking_happens_once(void **state)
{
	struct test_database *test = *state;
	struct login_session session, found;
	char anna[ID_SIZE], bert[ID_SIZE];
	bool changed;

	chat_make_user(test, "anna", anna);
	chat_make_user(test, "bert", bert);
	session = make_session(test, anna, "one");
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, sessions_revoke(test->db, session.id, bert, 7, CHAT_NOW_MS, &changed));
	assert_false(changed); /* not theirs */
	check_ok(test, sessions_revoke(test->db, session.id, anna, 7, CHAT_NOW_MS, &changed));
	assert_true(changed);
	check_ok(test, sessions_revoke(test->db, session.id, anna, 8, CHAT_NOW_MS + 1, &changed));
	assert_false(changed);
	check_status(sessions_rotate(test->db, session.id, "two", "one", CHAT_NOW_MS), ERR_NOT_FOUND);
	check_ok(test, db_commit(test->db, NULL));
	check_ok(test, sessions_get_by_family(test->db, &test->arena, "family of one", &found));
	assert_int_equal(found.user_rev, 7);
	assert_int_equal(found.revoked_at_ms, CHAT_NOW_MS);
}

static void
a_family_is_unique(void **state)
{
	struct test_database *test = *state;
	struct login_session again;
	char anna[ID_SIZE];

	chat_make_user(test, "anna", anna);
	again = make_session(test, anna, "one");
	id_make(again.id);
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_status(sessions_insert(test->db, &again), ERR_CONFLICT);
	db_rollback(test->db);
}

/* The ids of a page after a position, which moves to its end. */
static size_t
list_page(struct test_database *test, const char *user_id, int64_t *before_ms, char before_id[ID_SIZE], bool *ret_more)
{
	struct login_session *sessions;
	size_t n;

	check_ok(test, sessions_list(test->db, &test->arena, user_id, CHAT_NOW_MS, *before_ms, before_id, 2, &sessions,
				     &n, ret_more));
	for (size_t i = 0; i < n; i++) {
		bool later = sessions[i].last_used_at_ms == *before_ms && strcmp(sessions[i].id, before_id) < 0;

		assert_true(sessions[i].last_used_at_ms < *before_ms || later);
		assert_string_equal(sessions[i].user_agent, "curl");
		assert_int_equal(sessions[i].expires_at_ms, CHAT_NOW_MS + 1000);
		*before_ms = sessions[i].last_used_at_ms;
		memcpy(before_id, sessions[i].id, ID_SIZE);
	}
	return n;
}

static void
the_one_used_last_comes_first(void **state)
{
	static const char *const hashes[] = {"a", "b", "c", "d", "e"};
	struct test_database *test = *state;
	char anna[ID_SIZE], bert[ID_SIZE], before_id[ID_SIZE] = "";
	int64_t before_ms = INT64_MAX;
	size_t n = 0;
	bool more = true;

	chat_make_user(test, "anna", anna);
	chat_make_user(test, "bert", bert);
	make_session(test, bert, "bert's");
	for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++)
		make_session(test, anna, hashes[i]);
	test_database_run(test, "UPDATE sessions SET last_used_at = last_used_at + 5 WHERE refresh_hash IN ('b', 'c');"
				"UPDATE sessions SET revoked_at = 1 WHERE refresh_hash = 'd'");
	while (more)
		n += list_page(test, anna, &before_ms, before_id, &more);
	assert_int_equal(n, 4);
	test_database_run(test, "UPDATE sessions SET expires_at = 1760000000 WHERE refresh_hash <> 'a'");
	before_ms = INT64_MAX;
	before_id[0] = '\0';
	assert_int_equal(list_page(test, anna, &before_ms, before_id, &more), 1);
	assert_false(more);
}

static void
an_ended_session_still_belongs_to_its_person(void **state)
{
	struct test_database *test = *state;
	struct login_session session;
	char anna[ID_SIZE], bert[ID_SIZE];
	bool belongs;

	chat_make_user(test, "anna", anna);
	chat_make_user(test, "bert", bert);
	session = make_session(test, anna, "one");
	test_database_run(test, "UPDATE sessions SET revoked_at = 1");
	check_ok(test, sessions_belongs(test->db, session.id, anna, "device", &belongs));
	assert_true(belongs);
	check_ok(test, sessions_belongs(test->db, session.id, bert, "device", &belongs));
	assert_false(belongs);
	check_ok(test, sessions_belongs(test->db, bert, bert, "device", &belongs));
	assert_false(belongs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DATABASE(who_may_call),
		WITH_DATABASE(where_the_caller_stands),
		WITH_DATABASE(each_change_of_a_name_has_another_stamp),
		WITH_DATABASE(what_ends_a_session),
		WITH_DATABASE(a_session_is_found_by_the_family_of_its_tokens),
		WITH_DATABASE(revoking_happens_once),
		WITH_DATABASE(a_family_is_unique),
		WITH_DATABASE(the_one_used_last_comes_first),
		WITH_DATABASE(an_ended_session_still_belongs_to_its_person),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
