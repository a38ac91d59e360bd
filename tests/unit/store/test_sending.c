/* What a run of sends asks at once: who passes, each reason not to, and the numbers that conversations get. */
#include "support/chat.h"

#include "store/sending.h"

enum { N = 130 }; /* more than the largest statement holds, twice */

struct place {
	char ann[ID_SIZE], bob[ID_SIZE], talk[ID_SIZE];
	struct login_session session;
};

static void
make_place(struct test_database *test, struct place *ret_place)
{
	chat_make_user(test, "ann", ret_place->ann);
	chat_make_user(test, "bob", ret_place->bob);
	chat_make_direct(test, ret_place->ann, ret_place->bob, CHAT_NOW_MS, ret_place->talk);
	ret_place->session = chat_log_in(test, ret_place->ann, "refresh", NULL);
}

static struct sending_check
check_of(const struct place *place, const char *message_id)
{
	return (struct sending_check){.session_id = place->session.id,
				      .user_id = place->ann,
				      .conversation_id = place->talk,
				      .message_id = message_id};
}

static void
ask(struct test_database *test, struct sending_check *checks, size_t n)
{
	struct sending_checks question = {.all = checks, .n = n};

	check_ok(test, db_begin(test->db, DB_READ));
	sending_ask(test->db, &question, CHAT_NOW_MS);
	check_ok(test, sending_check(test->db, &question));
	assert_null(question.stmt);
	check_ok(test, db_commit(test->db, NULL));
}

static bool
passes(struct test_database *test, const struct place *place, const char *message_id)
{
	struct sending_check check = check_of(place, message_id);

	ask(test, &check, 1);
	assert_string_equal(check.other_id, check.passes ? place->bob : "");
	return check.passes;
}

static void
each_reason_keeps_it_out(void **state)
{
	struct test_database *test = *state;
	static const struct {
		const char *sql, *undo;
	} cases[] = {
		{"UPDATE sessions SET revoked_at = 1", "UPDATE sessions SET revoked_at = NULL"},
		{"UPDATE sessions SET expires_at = 1", "UPDATE sessions SET expires_at = 9999999999999"},
		{"UPDATE users SET disabled_at = 1 WHERE username = 'ann'", "UPDATE users SET disabled_at = NULL"},
		{"UPDATE users SET deleted_at = 1 WHERE username = 'ann'", "UPDATE users SET deleted_at = NULL"},
		{"UPDATE users SET must_change_password = TRUE WHERE username = 'ann'",
		 "UPDATE users SET must_change_password = FALSE"},
		{"UPDATE users SET disabled_at = 1 WHERE username = 'bob'", "UPDATE users SET disabled_at = NULL"},
		{"UPDATE users SET deleted_at = 1 WHERE username = 'bob'", "UPDATE users SET deleted_at = NULL"},
		{"UPDATE members SET left_at = 1", "UPDATE members SET left_at = NULL"},
		{"UPDATE conversations SET deleted_at = 1", "UPDATE conversations SET deleted_at = NULL"},
		{"UPDATE conversations SET slow_mode_s = 5", "UPDATE conversations SET slow_mode_s = 0"},
		{"INSERT INTO blocks (user_id, blocked_user_id, user_rev, created_at) SELECT b.id, a.id, 1, 1"
		 " FROM users a, users b WHERE a.username = 'ann' AND b.username = 'bob'",
		 "UPDATE blocks SET removed_at = 1"},
	};
	struct place place;

	make_place(test, &place);
	assert_true(passes(test, &place, "m"));
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		test_database_run(test, cases[i].sql);
		if (passes(test, &place, "m"))
			fail_msg("passes in spite of: %s", cases[i].sql);
		test_database_run(test, cases[i].undo);
		if (!passes(test, &place, "m"))
			fail_msg("does not pass after: %s", cases[i].undo);
	}
	test_database_run(test, "UPDATE conversations SET slow_mode_s = 5; UPDATE members SET role = 'owner'");
	assert_true(passes(test, &place, "m")); /* whom slow mode does not concern */
}

static void
each_is_its_own(void **state)
{
	struct test_database *test = *state;
	struct sending_check checks[N];
	char ids[N][ID_SIZE], eve[ID_SIZE];
	struct login_session foreign;
	struct place place;

	make_place(test, &place);
	chat_make_user(test, "eve", eve);
	foreign = chat_log_in(test, eve, "other refresh", NULL);
	for (int i = 0; i < N; i++) {
		id_make(ids[i]);
		checks[i] = check_of(&place, ids[i]);
	}
	checks[3].session_id = foreign.id;  /* another person's */
	checks[60].user_id = eve;           /* of another log-in */
	checks[77].session_id = foreign.id; /* a log-in of theirs, but no member */
	checks[77].user_id = eve;
	checks[129].conversation_id = "nowhere";
	ask(test, checks, N);
	for (int i = 0; i < N; i++)
		assert_int_equal(checks[i].passes, i != 3 && i != 60 && i != 77 && i != 129);
}

static void
a_taken_id_is_looked_at_by_itself(void **state)
{
	struct test_database *test = *state;
	struct place place, other;
	char id[ID_SIZE];

	make_place(test, &place);
	chat_send(test, place.talk, place.ann, CHAT_NOW_MS, 1);
	struct db_stmt *stmt = db_prepare(test->db, "SELECT id FROM messages");
	bool row;
	check_ok(test, db_one(stmt, &row));
	db_column_copy(stmt, 0, id, sizeof id);
	db_finish(stmt);
	assert_false(passes(test, &place, id));
	other = place; /* the same id in another conversation is another message */
	chat_make_direct(test, place.ann, place.ann, CHAT_NOW_MS, other.talk);
	memcpy(other.bob, other.ann, ID_SIZE);
	assert_true(passes(test, &other, id));
}

static void
all_advance_by_their_own_count(void **state)
{
	struct test_database *test = *state;
	static const size_t counts[] = {1, 7, 64};
	struct sending_advance advances[64];
	struct sending_check checks[64];
	char people[65][ID_SIZE], talks[64][ID_SIZE];

	for (int i = 0; i < 65; i++)
		chat_make_user(test, arena_printf(&test->arena, "p%d", i), people[i]);
	struct login_session session = chat_log_in(test, people[0], "refresh", NULL);
	for (int i = 0; i < 64; i++)
		chat_make_direct(test, people[0], people[i + 1], CHAT_NOW_MS, talks[i]);
	for (size_t round = 0; round < 3; round++) {
		check_ok(test, db_begin(test->db, DB_WRITE));
		for (size_t i = 0; i < counts[round]; i++)
			advances[i] = (struct sending_advance){.conversation_id = talks[i], .n = (int64_t)i + 1};
		check_ok(test, sending_advance(test->db, advances, counts[round]));
		check_ok(test, db_commit(test->db, NULL));
	}
	for (int i = 0; i < 64; i++)
		checks[i] = (struct sending_check){session.id, people[0], talks[i], "m", false, "", 0, 0};
	ask(test, checks, 64);
	for (int i = 0; i < 64; i++) {
		int64_t rounds = i < 1 ? 3 : i < 7 ? 2 : 1;

		assert_true(checks[i].passes);
		assert_int_equal(checks[i].last_seq, rounds * (i + 1));
		assert_int_equal(checks[i].last_rev, rounds * (i + 1) + 1);
	}
	assert_int_equal(test_database_int64(test, "SELECT count(*) FROM conversations WHERE change_no = 0"), 0);
}

static void
a_question_can_be_taken_back(void **state)
{
	struct test_database *test = *state;
	struct place place;
	struct sending_checks question = {.n = 1};

	make_place(test, &place);
	struct sending_check check = check_of(&place, "m");
	question.all = &check;
	check_ok(test, db_begin(test->db, DB_READ));
	sending_ask(test->db, &question, CHAT_NOW_MS);
	sending_forget(&question);
	sending_forget(&question);
	check_ok(test, db_commit(test->db, NULL));
	assert_true(passes(test, &place, "m"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DATABASE(each_reason_keeps_it_out),          WITH_DATABASE(each_is_its_own),
		WITH_DATABASE(a_taken_id_is_looked_at_by_itself), WITH_DATABASE(all_advance_by_their_own_count),
		WITH_DATABASE(a_question_can_be_taken_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
