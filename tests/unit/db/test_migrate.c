/* Migrations: applied once and whole, checked by checksum, and what a daemon says of a database that does not fit. */
#include "support/database.h"

#include <pthread.h>

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

int
main(void)
{
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
