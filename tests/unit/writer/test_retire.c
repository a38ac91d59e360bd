/* writer/retire: who was deleted leaves all groups, an heir takes over, and what was broken off is finished later.
 *
 * The writer is this file's: it runs each operation at once, and fails when it is told to. */
#include "support/writing.h"

#include <limits.h>

#include "store/groups.h"
#include "writer/retire.h"

static struct {
	struct batch_runner runner;
	int n_runs, runs_left;  /* until the database is away */
	bool twice;             /* each has just been done by somebody else */
	const char *unlucky_id; /* whose operations fail */
} play;

enum status
writer_run(struct writer *writer, struct write_op *op)
{
	const struct write_group *write = (const struct write_group *)op;

	assert_null(writer);
	play.n_runs++;
	if (play.runs_left-- <= 0 || (play.unlucky_id && strcmp(play.unlucky_id, write->actor_id) == 0))
		return op->status = fault_set(&op->fault, ERR_UNAVAILABLE, "database_unavailable", NULL,
					      "The database cannot be written at present.");
	for (int i = 0; i <= play.twice; i++)
		batch_run(&play.runner, &op, 1);
	return op->status;
}

struct fixture {
	struct test_database *test;
	char ada[ID_SIZE], bob[ID_SIZE], eve[ID_SIZE], dan[ID_SIZE];
};

static int
set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);

	assert_int_equal(test_database_setup((void **)&fixture->test), 0);
	add_person(fixture->test, "ada", fixture->ada);
	add_person(fixture->test, "bob", fixture->bob);
	add_person(fixture->test, "eve", fixture->eve);
	add_person(fixture->test, "dan", fixture->dan);
	memset(&play, 0, sizeof play);
	play.runner.db = fixture->test->db;
	play.runs_left = INT_MAX;
	*state = fixture;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *fixture = *state;

	test_database_teardown((void **)&fixture->test);
	free(fixture);
	return 0;
}

static int64_t
count(struct fixture *fixture, const char *sql)
{
	return test_database_int64(fixture->test, sql);
}

/* A group of its first person, the owner, and of those behind them until NULL. */
static void
make_group(struct fixture *fixture, const char *title, const char *const *people)
{
	char id[ID_SIZE], ids[4][ID_SIZE];
	struct write_group write = {.op = {.kind = WRITE_GROUP, .conversation_id = id},
				    .action = GROUP_CREATE,
				    .title = title,
				    .user_ids = (const char(*)[ID_SIZE])ids};

	id_make(id);
	memcpy(write.actor_id, people[0], ID_SIZE);
	while (people[write.n_user_ids + 1]) {
		memcpy(ids[write.n_user_ids], people[write.n_user_ids + 1], ID_SIZE);
		write.n_user_ids++;
	}
	assert_int_equal(writer_run(NULL, &write.op), OK);
	arena_finish(&write.op.arena);
	assert_false(db_in_transaction(fixture->test->db));
}
#define GROUP(fixture, title, ...) make_group(fixture, title, (const char *const[]){__VA_ARGS__, NULL})

static void
set_member(struct fixture *fixture, const char *title, const char *username, const char *role, int64_t joined_at_ms)
{
	test_database_run(fixture->test,
			  arena_printf(&fixture->test->arena,
				       "UPDATE members SET role = '%s', joined_at = %lld WHERE conversation_id ="
				       " (SELECT id FROM conversations WHERE title = '%s')"
				       " AND user_id = (SELECT id FROM users WHERE username = '%s')",
				       role, (long long)joined_at_ms, title, username));
}

static void
set_deleted(struct fixture *fixture, const char *username)
{
	test_database_run(fixture->test,
			  arena_printf(&fixture->test->arena, "UPDATE users SET deleted_at = 1 WHERE username = '%s'",
				       username));
}

static void
retire(struct fixture *fixture, const char *user_id)
{
	struct fault fault = {0};

	check_ok(fixture->test, retire_from_groups(NULL, fixture->test->db, user_id, &fault));
	assert_null(fault.code);
}

/* "ada,bob": who is in the group, its owner first; "": it has ended. One owner, and as many members as it says. */
static const char *
members_of(struct fixture *fixture, const char *title)
{
	struct db_stmt *stmt =
		db_prepare(fixture->test->db,
			   "SELECT u.username, m.role, c.member_count FROM members m"
			   " JOIN conversations c ON c.id = m.conversation_id JOIN users u ON u.id = m.user_id"
			   " WHERE c.title = $1 AND c.deleted_at IS NULL AND m.left_at IS NULL"
			   " ORDER BY CASE WHEN m.role = 'owner' THEN 0 ELSE 1 END, u.username");
	struct arena *arena = &fixture->test->arena;
	const char *text = "";
	int64_t n = 0, n_owners = 0, said = 0;
	bool row;

	db_bind_text(stmt, 1, title);
	for (;;) {
		check_ok(fixture->test, db_step(stmt, &row));
		if (!row)
			break;
		n_owners += strcmp(db_column_text(stmt, 1, arena), "owner") == 0;
		text = arena_printf(arena, "%s%s%s", text, n++ ? "," : "", db_column_text(stmt, 0, arena));
		said = db_column_int64(stmt, 2);
	}
	db_finish(stmt);
	assert_int_equal(n_owners, n > 0);
	assert_int_equal(n, said);
	return text;
}

#define ALL_REVS                                                                                                       \
	"SELECT CAST((SELECT sum(last_rev) FROM users) * 1000 + (SELECT sum(last_rev) FROM conversations) AS BIGINT)"

static void
the_oldest_admin_is_the_heir_then_the_oldest_member(void **state)
{
	struct fixture *fixture = *state;

	GROUP(fixture, "admins", fixture->ada, fixture->bob, fixture->eve, fixture->dan);
	set_member(fixture, "admins", "bob", "member", 1);
	set_member(fixture, "admins", "eve", "admin", 3);
	set_member(fixture, "admins", "dan", "admin", 2);
	GROUP(fixture, "members", fixture->ada, fixture->bob, fixture->eve);
	set_member(fixture, "members", "bob", "member", 5);
	set_member(fixture, "members", "eve", "member", 4);
	set_deleted(fixture, "ada");
	retire(fixture, fixture->ada);
	assert_string_equal(members_of(fixture, "admins"), "dan,bob,eve");
	assert_string_equal(members_of(fixture, "members"), "eve,bob");
	assert_int_equal(count(fixture, "SELECT count(*) FROM members WHERE role = 'owner'"), 2);
	assert_int_equal(count(fixture, "SELECT count(*) FROM members WHERE left_at IS NOT NULL AND role = 'member'"),
			 2);
}

static void
who_cannot_log_in_inherits_only_from_need(void **state)
{
	struct fixture *fixture = *state;

	GROUP(fixture, "choice", fixture->ada, fixture->bob, fixture->eve, fixture->dan);
	GROUP(fixture, "need", fixture->ada, fixture->bob, fixture->dan);
	GROUP(fixture, "nobody", fixture->ada, fixture->dan);
	set_member(fixture, "choice", "bob", "admin", 1);
	set_member(fixture, "choice", "dan", "admin", 1);
	set_member(fixture, "need", "dan", "admin", 1);
	test_database_run(fixture->test, "UPDATE users SET disabled_at = 1 WHERE username = 'bob'");
	set_deleted(fixture, "dan");
	set_deleted(fixture, "ada");
	retire(fixture, fixture->ada);
	assert_string_equal(members_of(fixture, "choice"), "eve,bob,dan");
	assert_string_equal(members_of(fixture, "need"), "bob,dan");
	assert_string_equal(members_of(fixture, "nobody"), "");
}

static void
a_handover_is_one_revision_and_the_end_another(void **state)
{
	struct fixture *fixture = *state;

	GROUP(fixture, "tea", fixture->ada, fixture->bob, fixture->eve);
	GROUP(fixture, "of bob", fixture->bob, fixture->ada);
	set_deleted(fixture, "ada");
	retire(fixture, fixture->ada);
	assert_int_equal(count(fixture, "SELECT last_rev FROM conversations WHERE title = 'tea'"), 3);
	assert_int_equal(count(fixture, "SELECT last_rev FROM conversations WHERE title = 'of bob'"), 2);
	assert_string_equal(members_of(fixture, "of bob"), "bob");
	assert_int_equal(count(fixture, "SELECT last_rev FROM users WHERE username = 'ada'"), 2 + 2 + 1);
	assert_int_equal(count(fixture, "SELECT last_rev FROM users WHERE username = 'bob'"), 2 + 1);
	assert_int_equal(count(fixture, "SELECT last_rev FROM users WHERE username = 'eve'"), 1);
	/* Ada's rows are found by whoever pulls behind the handover. */
	assert_int_equal(count(fixture,
			       "SELECT count(*) FROM members m JOIN conversations c ON c.id = m.conversation_id"
			       " WHERE m.left_at IS NOT NULL AND m.rev = c.last_rev"),
			 2);
}

static void
nobody_else_ends_a_group_and_a_direct_one_stays(void **state)
{
	struct fixture *fixture = *state;
	struct write_send_message send;
	struct write_op *op = &send.op;

	make_direct_send(&send, fixture->ada, fixture->bob, NULL, "word");
	batch_run(&play.runner, &op, 1);
	arena_finish(&op->arena);
	GROUP(fixture, "alone", fixture->ada);
	GROUP(fixture, "of bob and eve", fixture->bob, fixture->eve);
	set_deleted(fixture, "ada");
	retire(fixture, fixture->ada);
	assert_int_equal(count(fixture, "SELECT count(*) FROM conversations WHERE deleted_at IS NOT NULL"), 1);
	assert_string_equal(members_of(fixture, "alone"), "");
	assert_string_equal(members_of(fixture, "of bob and eve"), "bob,eve");
	assert_int_equal(count(fixture,
			       "SELECT count(*) FROM members m JOIN conversations c ON c.id = m.conversation_id"
			       " WHERE c.kind = 'direct' AND m.left_at IS NULL"),
			 2);
	assert_int_equal(count(fixture, "SELECT count(*) FROM messages WHERE content = 'word'"), 1);
}

static void
what_was_broken_off_is_finished(void **state)
{
	static const char *const titles[] = {"one", "two", "three"};
	struct fixture *fixture = *state;
	struct fault fault = {0};

	for (size_t i = 0; i < 3; i++)
		GROUP(fixture, titles[i], fixture->ada, fixture->bob);
	GROUP(fixture, "of eve", fixture->eve, fixture->bob);
	set_deleted(fixture, "ada");
	play.runs_left = 1;
	check_status(retire_from_groups(NULL, fixture->test->db, fixture->ada, &fault), ERR_UNAVAILABLE);
	assert_string_equal(fault.code, "database_unavailable");
	assert_int_equal(count(fixture, "SELECT count(*) FROM members WHERE left_at IS NOT NULL"), 1);

	play.runs_left = INT_MAX;
	check_ok(fixture->test, retire_leftovers(NULL, fixture->test->db, &fault));
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(members_of(fixture, titles[i]), "bob");
	assert_string_equal(members_of(fixture, "of eve"), "eve,bob");

	int64_t revs = count(fixture, ALL_REVS);
	play.n_runs = 0;
	check_ok(fixture->test, retire_leftovers(NULL, fixture->test->db, &fault));
	retire(fixture, fixture->ada);
	assert_int_equal(count(fixture, ALL_REVS), revs);
	assert_int_equal(play.n_runs, 0);
}

static void
one_who_cannot_leave_keeps_nobody_else(void **state)
{
	struct fixture *fixture = *state;
	struct fault fault = {0};

	GROUP(fixture, "of ada", fixture->ada, fixture->bob);
	GROUP(fixture, "of eve", fixture->eve, fixture->bob);
	GROUP(fixture, "of dan", fixture->dan, fixture->bob);
	set_deleted(fixture, "ada");
	set_deleted(fixture, "eve");
	set_deleted(fixture, "dan");
	play.unlucky_id = fixture->ada; /* the first */
	check_status(retire_leftovers(NULL, fixture->test->db, &fault), ERR_UNAVAILABLE);
	assert_string_equal(fault.code, "database_unavailable");
	assert_string_equal(members_of(fixture, "of ada"), "ada,bob");
	assert_string_equal(members_of(fixture, "of eve"), "bob");
	assert_string_equal(members_of(fixture, "of dan"), "bob");
	play.unlucky_id = NULL;
	check_ok(fixture->test, retire_leftovers(NULL, fixture->test->db, &fault));
	assert_string_equal(members_of(fixture, "of ada"), "bob");
}

/* Two processes finish the same deletion. */
static void
whoever_comes_second_finds_it_done(void **state)
{
	struct fixture *fixture = *state;

	GROUP(fixture, "tea", fixture->ada, fixture->bob);
	GROUP(fixture, "of bob", fixture->bob, fixture->ada);
	set_deleted(fixture, "ada");
	play.twice = true;
	retire(fixture, fixture->ada);
	assert_string_equal(members_of(fixture, "tea"), "bob");
	assert_string_equal(members_of(fixture, "of bob"), "bob");
	assert_int_equal(count(fixture, "SELECT last_rev FROM conversations WHERE title = 'tea'"), 3);
}

/* Whether the rows that retiring from the group changes include this person's, locked before anything is looked up. */
static bool
is_locked(struct fixture *fixture, const char *title, const char *user_id)
{
	struct batch batch = {.runner = &play.runner, .db = fixture->test->db};
	struct batch_users users = {0};
	char id[ID_SIZE];
	struct write_group write = {.op = {.kind = WRITE_GROUP, .conversation_id = id},
				    .action = GROUP_RETIRE,
				    .user_ids = (const char(*)[ID_SIZE])fixture->ada,
				    .n_user_ids = 1};
	struct db_stmt *stmt = db_prepare(fixture->test->db, "SELECT id FROM conversations WHERE title = $1");
	bool row, is_there = false;

	db_bind_text(stmt, 1, title);
	check_ok(fixture->test, db_one(stmt, &row));
	db_column_copy(stmt, 0, id, sizeof id);
	db_finish(stmt);
	memcpy(write.actor_id, fixture->ada, ID_SIZE);
	check_ok(fixture->test, group_find_users(&batch, &write.op, &users));
	for (size_t i = 0; i < users.n; i++)
		is_there = is_there || strcmp(users.ids[i], user_id) == 0;
	arena_finish(&batch.arena);
	return is_there;
}

static void
whoever_is_told_is_locked(void **state)
{
	struct fixture *fixture = *state;

	GROUP(fixture, "tea", fixture->ada, fixture->bob, fixture->eve);
	GROUP(fixture, "nobody", fixture->ada, fixture->dan);
	set_member(fixture, "tea", "eve", "admin", 5);
	set_deleted(fixture, "ada");
	set_deleted(fixture, "dan");
	assert_true(is_locked(fixture, "tea", fixture->ada));
	assert_true(is_locked(fixture, "tea", fixture->eve)); /* the heir */
	assert_false(is_locked(fixture, "tea", fixture->bob));
	assert_true(is_locked(fixture, "nobody", fixture->ada));
	assert_true(is_locked(fixture, "nobody", fixture->dan)); /* the group ends */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_oldest_admin_is_the_heir_then_the_oldest_member, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_cannot_log_in_inherits_only_from_need, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_handover_is_one_revision_and_the_end_another, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nobody_else_ends_a_group_and_a_direct_one_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_was_broken_off_is_finished, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_who_cannot_leave_keeps_nobody_else, set_up, tear_down),
		cmocka_unit_test_setup_teardown(whoever_comes_second_finds_it_done, set_up, tear_down),
		cmocka_unit_test_setup_teardown(whoever_is_told_is_locked, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
