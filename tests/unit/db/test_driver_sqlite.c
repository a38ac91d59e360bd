/* What is SQLite's alone: the file and its mode, an error that rolls back by itself, change numbers without a hole. */
#include "support/database.h"

#include <sys/stat.h>

static void
set_up_table(struct test_database *test)
{
	test_database_run(test, "CREATE TABLE things (id BIGINT NOT NULL PRIMARY KEY, name TEXT UNIQUE, flag BOOLEAN,"
				" parent BIGINT REFERENCES things (id))");
}

static enum status
insert_thing(struct db *db, int64_t id, const char *name, bool flag)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, "INSERT INTO things (name, flag, id) VALUES ($2, $3, $1)");

	db_bind_int64(stmt, 1, id);
	db_bind_text(stmt, 2, name);
	db_bind_bool(stmt, 3, flag);
	return db_run(stmt);
}

static int64_t
count_things(struct test_database *test)
{
	return test_database_int64(test, "SELECT count(*) FROM things");
}

static void
a_file_that_is_no_database_is_refused(void **state)
{
	struct test_database *test = *state;
	char path[128], url[160];
	struct fault fault = {0};
	struct db *db;
	FILE *file;

	snprintf(path, sizeof path, "%s/other.db", test->folder);
	snprintf(url, sizeof url, "sqlite:%s", path);
	file = fopen(path, "w");
	assert_non_null(file);
	for (int i = 0; i < 1000; i++)
		fputs("not a database", file);
	fclose(file);
	check_status(db_open(url, DB_ACCESS_WRITE, &db, &fault), ERR_UNAVAILABLE);
	assert_string_equal(fault.code, "database_unavailable");
}

static void
the_file_is_private_and_in_wal_mode(void **state)
{
	struct test_database *test = *state;
	struct stat file;
	struct db_stmt *stmt;
	char mode[8];
	bool row;

	assert_int_equal(stat(test->path, &file), 0);
	assert_int_equal(file.st_mode & 0777, 0600);
	stmt = db_prepare(test->db, "SELECT journal_mode FROM pragma_journal_mode");
	check_ok(test, db_one(stmt, &row));
	db_column_copy(stmt, 0, mode, sizeof mode);
	db_finish(stmt);
	assert_string_equal(mode, "wal");
	assert_int_equal(test_database_int64(test, "SELECT synchronous FROM pragma_synchronous"), 2);
	assert_int_equal(test_database_int64(test, "SELECT foreign_keys FROM pragma_foreign_keys"), 1);
	assert_int_equal(test_database_int64(test, "PRAGMA wal_autocheckpoint"), 0);
}

/* SQLite rolls the whole transaction back by itself here; nothing that follows may commit by itself. */
static void
a_full_disk_rolls_back_the_whole(void **state)
{
	struct test_database *test = *state;
	char name[3000];
	enum status status = OK;
	int64_t n = 0;

	set_up_table(test);
	memset(name, 'x', sizeof name);
	name[sizeof name - 1] = '\0';
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, db_run_script(test->db, "PRAGMA max_page_count = 60; PRAGMA cache_size = 10"));
	while (status == OK && n < 1000) {
		snprintf(name, 10, "%08d", (int)n);
		name[8] = 'x';
		status = insert_thing(test->db, n++, name, true);
	}
	check_status(status, ERR_UNAVAILABLE);
	assert_non_null(strstr(db_error(test->db), "full"));
	check_status(insert_thing(test->db, 2000, "after", true), ERR_UNAVAILABLE);
	check_status(db_commit(test->db, NULL), ERR_UNAVAILABLE);
	assert_int_equal(count_things(test), 0);

	check_ok(test, db_begin(test->db, DB_WRITE)); /* the next one works */
	check_ok(test, insert_thing(test->db, 1, "small", true));
	check_ok(test, db_commit(test->db, NULL));
	assert_int_equal(count_things(test), 1);
}

static int64_t
change_no(struct test_database *test)
{
	int64_t number;

	check_ok(test, db_change_no(test->db, &number));
	return number;
}

static void
one_change_number_per_transaction(void **state)
{
	struct test_database *test = *state;
	int64_t position, first;

	check_ok(test, db_begin(test->db, DB_READ));
	check_ok(test, db_change_position(test->db, &position));
	db_rollback(test->db);

	check_ok(test, db_begin(test->db, DB_WRITE));
	first = change_no(test);
	assert_int_equal(first, position); /* committed after the snapshot: at least its position */
	assert_int_equal(change_no(test), first);
	check_ok(test, db_commit(test->db, NULL));

	check_ok(test, db_begin(test->db, DB_READ));
	check_ok(test, db_change_position(test->db, &position));
	assert_int_equal(position, first + 1); /* what the snapshot contains lies below it */
	db_rollback(test->db);

	check_ok(test, db_begin(test->db, DB_WRITE)); /* one that is rolled back draws none */
	assert_int_equal(change_no(test), first + 1);
	db_rollback(test->db);
	test_database_run(test, "SELECT 1"); /* one that changes no stream draws none either */
	check_ok(test, db_begin(test->db, DB_WRITE));
	assert_int_equal(change_no(test), first + 1);
	check_ok(test, db_commit(test->db, NULL));
}

#define WITH_DATABASE(test) cmocka_unit_test_setup_teardown(test, test_database_setup, test_database_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DATABASE(a_file_that_is_no_database_is_refused),
		WITH_DATABASE(the_file_is_private_and_in_wal_mode),
		WITH_DATABASE(a_full_disk_rolls_back_the_whole),
		WITH_DATABASE(one_change_number_per_transaction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
