/* People: names are unique, the first one is admin, finding by prefix, the person's stream. */
#include "support/chat.h"

#include <pthread.h>
#include <stdatomic.h>

static void
what_was_inserted_is_read(void **state)
{
	struct test_database *test = *state;
	struct user user, same;
	const char *hash;
	char id[ID_SIZE];

	chat_make_user(test, "anna", id);
	check_ok(test, users_get(test->db, &test->arena, id, &user, NULL));
	assert_string_equal(user.id, id);
	assert_string_equal(user.username, "anna");
	assert_string_equal(user.display_name, "Name of anna");
	assert_int_equal(user.created_at_ms, CHAT_NOW_MS);
	assert_int_equal(user.disabled_at_ms, 0);
	assert_int_equal(user.last_rev, 0);

	check_ok(test, users_get_by_name(test->db, &test->arena, "anna", &same, &hash));
	assert_string_equal(same.id, id);
	assert_string_equal(hash, "hash");
	check_status(users_get_by_name(test->db, &test->arena, "Anna", &same, &hash), ERR_NOT_FOUND);
}

static void
the_first_is_admin(void **state)
{
	struct test_database *test = *state;
	static const char *const names[] = {"first", "second", "third"};
	struct user user;
	char id[ID_SIZE];

	for (size_t i = 0; i < 3; i++) {
		chat_make_user(test, names[i], id);
		check_ok(test, users_get(test->db, &test->arena, id, &user, NULL));
		assert_string_equal(user.role, i == 0 ? "admin" : "member");
	}
}

struct rival {
	const char *url;
	char id[ID_SIZE];
	enum status status;
	atomic_bool done;
};

/* On a connection of its own: another process. */
static void *
sign_up_too(void *argument)
{
	struct rival *rival = argument;
	struct user user = {.username = "rival", .username_key = "rival", .display_name = "Rival", .created_at_ms = 1};
	struct db *db;

	id_make(user.id);
	memcpy(rival->id, user.id, ID_SIZE);
	rival->status = db_open(rival->url, DB_ACCESS_WRITE, &db, NULL);
	if (rival->status == OK) {
		rival->status = db_begin(db, DB_WRITE);
		if (rival->status == OK)
			rival->status = users_insert(db, &user, "hash", NULL);
		if (rival->status == OK)
			rival->status = db_commit(db, NULL);
		db_rollback(db);
		db_close(db);
	}
	atomic_store(&rival->done, true);
	return NULL;
}

/* Whether somebody waits for what this transaction holds. Where writers take turns they do so anyway. */
static bool
is_waited_for(struct test_database *test)
{
	return !test->schema[0] || test_database_int64(test, "SELECT count(*) FROM pg_locks WHERE NOT granted"
							     " AND pg_backend_pid() = ANY (pg_blocking_pids(pid))") > 0;
}

static void
of_two_first_ones_one_is_admin(void **state)
{
	struct test_database *test = *state;
	struct rival rival = {.url = test->url};
	struct user first, second;
	char id[ID_SIZE];
	pthread_t thread;

	check_ok(test, db_begin(test->db, DB_WRITE));
	chat_insert_user(test, "first", id);
	assert_int_equal(pthread_create(&thread, NULL, sign_up_too, &rival), 0);
	while (!atomic_load(&rival.done) && !is_waited_for(test))
		usleep(1000);
	check_ok(test, db_commit(test->db, NULL));
	pthread_join(thread, NULL);
	check_ok(test, rival.status);
	check_ok(test, users_get(test->db, &test->arena, id, &first, NULL));
	check_ok(test, users_get(test->db, &test->arena, rival.id, &second, NULL));
	assert_string_equal(first.role, "admin");
	assert_string_equal(second.role, "member");
}

static void
a_taken_name_is_refused_and_the_transaction_goes_on(void **state)
{
	struct test_database *test = *state;
	struct user other = {.username = "ANNA", .username_key = "anna", .display_name = "Other"};
	struct fault fault = {0};

	chat_make_user(test, "anna", NULL);
	id_make(other.id);
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_status(users_insert(test->db, &other, "hash", &fault), ERR_CONFLICT);
	assert_string_equal(fault.code, "username_taken");
	assert_string_equal(fault.field, "username");
	chat_insert_user(test, "bert", NULL);
	check_ok(test, db_commit(test->db, NULL));
	assert_int_equal(test_database_int64(test, "SELECT count(*) FROM users"), 2);
}

static void
a_deleted_one_is_not_found(void **state)
{
	struct test_database *test = *state;
	struct fault fault = {0};
	struct user user;
	const char *hash;
	char id[ID_SIZE];

	chat_make_user(test, "anna", id);
	chat_change(test, "UPDATE users SET deleted_at = 1 WHERE id = $1", id, NULL);
	check_status(users_get(test->db, &test->arena, id, &user, &fault), ERR_NOT_FOUND);
	assert_string_equal(fault.code, "user_not_found");
	check_status(users_get_by_name(test->db, &test->arena, "anna", &user, &hash), ERR_NOT_FOUND);
	check_status(users_get(test->db, &test->arena, "nobody", &user, &fault), ERR_NOT_FOUND);
}

/* The usernames that a search finds, with commas. */
static const char *
find(struct test_database *test, const char *prefix, const char *after, int64_t limit, bool *ret_more)
{
	char *found = arena_strdup(&test->arena, "");
	struct user *users;
	size_t n;

	check_ok(test, users_find(test->db, &test->arena, prefix, after, limit, &users, &n, ret_more));
	for (size_t i = 0; i < n; i++)
		found = arena_printf(&test->arena, "%s%s%s", found, i ? "," : "", users[i].username);
	return found;
}

static void
finds_by_prefix(void **state)
{
	struct test_database *test = *state;
	static const char *const names[] = {"zoe", "anton", "anna", "an_d", "bert", "gone", "off"};
	static const struct {
		const char *prefix, *after;
		int64_t limit;
		const char *found;
		bool more;
	} cases[] = {
		{"an", "", 10, "an_d,anna,anton", false},
		{"an", "", 3, "an_d,anna,anton", false},
		{"an", "", 2, "an_d,anna", true},
		{"an", "anna", 2, "anton", false},
		{"ann", "", 10, "anna", false},
		{"name of z", "", 10, "zoe", false}, /* the display name, folded */
		{"name", "bert", 10, "zoe", false},
		{"", "", 10, "an_d,anna,anton,bert,zoe", false},
		{"%", "", 10, "", false},
		{"_", "", 10, "", false},
		{"x", "", 10, "", false},
		{"gone", "", 10, "", false},
		{"off", "", 10, "", false},
	};
	bool more;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		chat_make_user(test, names[i], NULL);
	test_database_run(test, "UPDATE users SET deleted_at = 1 WHERE username = 'gone';"
				"UPDATE users SET disabled_at = 1 WHERE username = 'off'");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_string_equal(find(test, cases[i].prefix, cases[i].after, cases[i].limit, &more), cases[i].found);
		assert_int_equal(more, cases[i].more);
	}
}

static void
the_stream_advances_by_one(void **state)
{
	struct test_database *test = *state;
	int64_t rev, change_no;
	char id[ID_SIZE];

	chat_make_user(test, "anna", id);
	for (int64_t wanted = 1; wanted <= 3; wanted++) {
		check_ok(test, db_begin(test->db, DB_WRITE));
		check_ok(test, users_advance(test->db, id, &rev));
		check_ok(test, db_change_no(test->db, &change_no));
		assert_int_equal(rev, wanted);
		check_ok(test, db_commit(test->db, NULL));
		assert_int_equal(test_database_int64(test, "SELECT change_no FROM users"), change_no);
	}
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_status(users_advance(test->db, "nobody", &rev), ERR_NOT_FOUND);
	db_rollback(test->db);
}

static void
the_password_of_an_active_person(void **state)
{
	static const char *const ends[] = {"UPDATE users SET disabled_at = 1", "UPDATE users SET deleted_at = 1"};
	struct test_database *test = *state;
	const char *hash;
	char id[ID_SIZE];

	chat_make_user(test, "anna", id);
	check_ok(test, users_password_hash(test->db, &test->arena, id, &hash));
	assert_string_equal(hash, "hash");
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, users_set_password(test->db, id, "other"));
	check_ok(test, db_commit(test->db, NULL));
	check_ok(test, users_password_hash(test->db, &test->arena, id, &hash));
	assert_string_equal(hash, "other");
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		test_database_run(test, ends[i]);
		check_status(users_password_hash(test->db, &test->arena, id, &hash), ERR_NOT_FOUND);
		test_database_run(test, "UPDATE users SET disabled_at = NULL, deleted_at = NULL");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DATABASE(what_was_inserted_is_read),
		WITH_DATABASE(the_first_is_admin),
		WITH_DATABASE(of_two_first_ones_one_is_admin),
		WITH_DATABASE(a_taken_name_is_refused_and_the_transaction_goes_on),
		WITH_DATABASE(a_deleted_one_is_not_found),
		WITH_DATABASE(finds_by_prefix),
		WITH_DATABASE(the_stream_advances_by_one),
		WITH_DATABASE(the_password_of_an_active_person),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
