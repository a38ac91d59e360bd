/* Migrations: applied once and whole, checked by checksum, from every earlier version with data in it, and what a daemon says of a
 * database that does not fit.
 *
 * migrate.c is compiled in here as programs of other versions have it: they know the first `n_known` migrations. */
#include "support/database.h"

#include <pthread.h>

static size_t n_known;

#define n_migrations n_known
#include "db/migrate.c"
#undef n_migrations

static void
count_report(void *context, const struct migration *migration)
{
	size_t *n = context;

	(*n)++;
	assert_int_equal(migration->version, *n);
}

static int
setup_empty(void **state)
{
	struct test_database *test = calloc(1, sizeof *test);

	assert_non_null(test);
	test_database_create(test);
	*state = test;
	return 0;
}

static void
applies_each_once(void **state)
{
	struct test_database *test = *state;
	const struct migration *first;
	size_t reported = 0, applied, pending;

	check_ok(test, migrate_pending(test->db, &first, &pending, NULL));
	assert_int_equal(pending, n_migrations);
	assert_int_equal(first->version, 1);

	check_ok(test, migrate_run(test->db, count_report, &reported, &applied, NULL));
	assert_int_equal(applied, n_migrations);
	assert_int_equal(reported, n_migrations);
	check_ok(test, migrate_pending(test->db, &first, &pending, NULL));
	assert_int_equal(pending, 0);

	check_ok(test, migrate_run(test->db, count_report, &reported, &applied, NULL));
	assert_int_equal(applied, 0);
	assert_int_equal(test_database_int64(test, "SELECT CAST(value AS BIGINT) FROM meta WHERE key = 'schema'"),
			 n_migrations);
	assert_int_equal(test_database_int64(test, "SELECT length(value) FROM meta WHERE key = 'epoch'"), 36);
}

static void
refuses_a_changed_one(void **state)
{
	struct test_database *test = *state;
	struct fault fault = {0};
	const struct migration *first;
	size_t n;

	test_database_run(test, "UPDATE migrations SET checksum = 'other' WHERE version = 2");
	check_status(migrate_run(test->db, NULL, NULL, &n, &fault), ERR_CONFLICT);
	assert_string_equal(fault.code, "migration_changed");
	assert_non_null(strstr(fault.detail, "0002_messages"));
	check_status(migrate_pending(test->db, &first, &n, &fault), ERR_CONFLICT);
	assert_false(db_in_transaction(test->db));
}

static void
refuses_a_newer_database(void **state)
{
	struct test_database *test = *state;
	struct fault fault = {0};
	size_t n;

	test_database_run(
		test, "INSERT INTO migrations (version, name, checksum, applied_at) VALUES (9999, 'later', 'x', 0)");
	check_status(migrate_run(test->db, NULL, NULL, &n, &fault), ERR_UNAVAILABLE);
	assert_string_equal(fault.code, "schema_newer");
}

static void
a_failed_one_leaves_nothing(void **state)
{
	struct test_database *test = *state;
	struct fault fault = {0};
	const struct migration *first;
	size_t n;

	test_database_run(test,
			  "CREATE TABLE members (id TEXT)"); /* in the way of the first migration, late in its text */
	check_status(migrate_run(test->db, NULL, NULL, &n, &fault), ERR_INTERNAL);
	assert_string_equal(fault.code, "migration_failed");
	assert_non_null(strstr(fault.detail, "members"));
	check_ok(test, migrate_pending(test->db, &first, &n, NULL));
	assert_int_equal(n, n_migrations);

	test_database_run(test, "DROP TABLE members");
	test_database_migrate(test);
}

static void
a_daemon_says_what_does_not_fit(void **state)
{
	struct test_database *test = *state;
	const struct {
		const char *sql;
		const char *code; /* NULL: it may run */
		const char *detail;
	} cases[] = {
		{"UPDATE meta SET value = '0' WHERE key = 'schema'", "schema_older", "stonechat migrate"},
		{"UPDATE meta SET value = '9998' WHERE key = 'schema'", NULL,
		 NULL}, /* newer, and says it is compatible */
		{"UPDATE meta SET value = '9998' WHERE key = 'compatible_from'", "schema_newer",
		 "install a newer version"},
	};
	struct fault fault;

	check_ok(test, migrate_check(test->db, NULL));
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		test_database_run(test, cases[i].sql);
		fault = (struct fault){0};
		check_status(migrate_check(test->db, &fault), cases[i].code ? ERR_UNAVAILABLE : OK);
		if (cases[i].code) {
			assert_string_equal(fault.code, cases[i].code);
			assert_non_null(strstr(fault.detail, cases[i].detail));
		}
	}
}

static void
a_daemon_refuses_an_empty_database(void **state)
{
	struct test_database *test = *state;
	struct fault fault = {0};
	size_t n_applied;

	check_status(migrate_check(test->db, &fault), ERR_UNAVAILABLE);
	assert_string_equal(fault.code, "schema_older");
	fault = (struct fault){0};
	check_status(migrate_check_url(test->url, &fault), ERR_UNAVAILABLE);
	assert_string_equal(fault.code, "schema_older");
	check_ok(test, migrate_run(test->db, NULL, NULL, &n_applied, NULL));
	assert_int_equal(migrate_check_url(test->url, NULL), OK);
}

struct migrator {
	struct db *db;
	pthread_barrier_t *barrier;
	enum status status;
	size_t applied;
};

static void *
run_migrator(void *context)
{
	struct migrator *migrator = context;

	pthread_barrier_wait(migrator->barrier);
	migrator->status = migrate_run(migrator->db, NULL, NULL, &migrator->applied, NULL);
	return NULL;
}

static void
two_at_once_apply_each_once(void **state)
{
	struct test_database *test = *state;
	struct migrator migrators[2];
	pthread_barrier_t barrier;
	pthread_t threads[2];

	pthread_barrier_init(&barrier, NULL, 2);
	for (int i = 0; i < 2; i++) {
		migrators[i] = (struct migrator){.barrier = &barrier};
		check_ok(test, db_open(test->url, DB_ACCESS_WRITE, &migrators[i].db, NULL));
		assert_int_equal(pthread_create(&threads[i], NULL, run_migrator, &migrators[i]), 0);
	}
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		test_database_check(migrators[i].status, migrators[i].db, "migrate_run", __LINE__);
		db_close(migrators[i].db);
	}
	pthread_barrier_destroy(&barrier);
	assert_int_equal(migrators[0].applied + migrators[1].applied, n_migrations);
	check_ok(test, migrate_check(test->db, NULL));
}

/* What somebody has stored by the version of that number; the conversation has three members, of whom one has left. */
static const char *const stored[] = {
	"INSERT INTO users (id, username, username_key, display_name, display_name_key, password_hash, role, last_rev, created_at)"
	" VALUES ('u1', 'Ada', 'ada', 'Ada', 'ada', 'h', 'admin', 4, 1), ('u2', 'Bob', 'bob', 'Bob', 'bob', 'h', 'member', 2, 2),"
	" ('u3', 'Eve', 'eve', 'Eve', 'eve', 'h', 'member', 3, 3);"
	"INSERT INTO sessions (id, user_id, family_hash, refresh_hash, created_at, last_used_at, expires_at)"
	" VALUES ('s1', 'u1', 'f', 'r', 1, 2, 3);"
	"INSERT INTO conversations (id, kind, title, rev, last_seq, last_rev, created_by, created_at)"
	" VALUES ('c1', 'group', 'Tea', 1, 2, 5, 'u1', 1);"
	"INSERT INTO members (conversation_id, user_id, role, rev, user_rev, joined_at, left_at, read_seq)"
	" VALUES ('c1', 'u1', 'owner', 1, 1, 1, NULL, 2), ('c1', 'u2', 'member', 1, 1, 1, NULL, 1),"
	" ('c1', 'u3', 'member', 5, 3, 1, 9, 0)",
	"INSERT INTO messages (conversation_id, seq, rev, id, sender_id, content, content_digest, timestamp)"
	" VALUES ('c1', 1, 2, 'm1', 'u1', 'hello', 'd1', 4), ('c1', 2, 4, 'm2', 'u2', 'Grüße', 'd2', 5)",
	"INSERT INTO reactions (conversation_id, seq, emoji, user_id, created_at) VALUES ('c1', 2, 'x', 'u1', 6)",
	"INSERT INTO blocks (user_id, blocked_user_id, user_rev, created_at) VALUES ('u1', 'u3', 4, 7);"
	"INSERT INTO connections (user_id, connection_status, last_seen) VALUES ('u1', 'offline', 8)",
	"INSERT INTO invites (id, code_hash, created_by, created_at, expires_at) VALUES ('i1', 'c', 'u1', 1, 2);"
	"INSERT INTO audit (id, at, actor, action, detail) VALUES ('a1', 1, 'u1', 'x', '{}')",
};

/* How many rows of those there are. */
static int64_t
count_stored(struct test_database *test)
{
	return test_database_int64(
		test,
		"SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM sessions)"
		" + (SELECT count(*) FROM conversations) + (SELECT count(*) FROM members)"
		" + (SELECT count(*) FROM messages) + (SELECT count(*) FROM reactions) + (SELECT count(*) FROM blocks)"
		" + (SELECT count(*) FROM connections) + (SELECT count(*) FROM invites)"
		" + (SELECT count(*) FROM audit)");
}

static void
read_epoch(struct test_database *test, char ret_epoch[ID_SIZE])
{
	struct db_stmt *stmt = db_prepare(test->db, "SELECT value FROM meta WHERE key = 'epoch'");
	bool row;

	check_ok(test, db_one(stmt, &row));
	assert_true(row);
	db_column_copy(stmt, 0, ret_epoch, ID_SIZE);
	db_finish(stmt);
}

/* An empty database brought to `version` by programs of each version before, which have stored something. */
static void
make_version(struct test_database *test, size_t version)
{
	size_t applied;

	test_database_create(test);
	for (n_known = 1; n_known <= version; n_known++) {
		check_ok(test, migrate_run(test->db, NULL, NULL, &applied, NULL));
		assert_int_equal(applied, 1);
		if (n_known <= sizeof stored / sizeof stored[0])
			test_database_run(test, stored[n_known - 1]);
	}
	n_known = n_migrations;
}

static void
every_version_comes_to_the_newest_with_its_data(void **state)
{
	static const int64_t n_stored[] = {8, 10, 11, 13, 15}; /* by that version; later ones store nothing here */
	struct test_database test;
	char before[ID_SIZE], after[ID_SIZE];
	const struct migration *first;
	size_t pending, applied;

	(void)state;
	for (size_t version = 1; version < n_migrations; version++) {
		make_version(&test, version);
		read_epoch(&test, before);
		check_ok(&test, migrate_pending(test.db, &first, &pending, NULL));
		assert_int_equal(pending, n_migrations - version);
		assert_int_equal(first->version, version + 1);
		check_status(migrate_check(test.db, NULL), ERR_UNAVAILABLE);

		check_ok(&test, migrate_run(test.db, NULL, NULL, &applied, NULL));
		assert_int_equal(applied, n_migrations - version);
		check_ok(&test, migrate_check(test.db, NULL));
		assert_int_equal(count_stored(&test), n_stored[version < 5 ? version - 1 : 4]);
		assert_int_equal(test_database_int64(&test, "SELECT member_count FROM conversations WHERE id = 'c1'"),
				 2);
		assert_int_equal(test_database_int64(&test, "SELECT count(*) FROM sessions WHERE kind = 'device'"), 1);
		read_epoch(&test, after);
		assert_string_equal(before, after);
		test_database_destroy(&test);
	}
}

/* As a program sees it that was not updated with the others. */
static void
an_older_program_refuses_what_a_newer_one_has_made(void **state)
{
	struct test_database *test = *state;
	const struct migration *first;
	struct fault fault = {0};
	size_t n;

	for (n_known = 1; n_known < n_migrations; n_known++) {
		check_status(migrate_run(test->db, NULL, NULL, &n, &fault), ERR_UNAVAILABLE);
		assert_string_equal(fault.code, "schema_newer");
		check_status(migrate_pending(test->db, &first, &n, &fault), ERR_UNAVAILABLE);
		assert_false(db_in_transaction(test->db));
	}
	n_known = n_migrations;
	check_ok(test, migrate_check(test->db, NULL));
}

int
main(void)
{
	n_known = n_migrations;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(applies_each_once, setup_empty, test_database_teardown),
		cmocka_unit_test_setup_teardown(refuses_a_changed_one, test_database_setup, test_database_teardown),
		cmocka_unit_test_setup_teardown(refuses_a_newer_database, test_database_setup, test_database_teardown),
		cmocka_unit_test_setup_teardown(a_failed_one_leaves_nothing, setup_empty, test_database_teardown),
		cmocka_unit_test_setup_teardown(a_daemon_says_what_does_not_fit, test_database_setup,
						test_database_teardown),
		cmocka_unit_test_setup_teardown(a_daemon_refuses_an_empty_database, setup_empty,
						test_database_teardown),
		cmocka_unit_test_setup_teardown(two_at_once_apply_each_once, setup_empty, test_database_teardown),
		cmocka_unit_test(every_version_comes_to_the_newest_with_its_data),
		cmocka_unit_test_setup_teardown(an_older_program_refuses_what_a_newer_one_has_made, test_database_setup,
						test_database_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
