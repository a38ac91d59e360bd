/* Whole copies: what is refused as damaged, and that a replaced database is seen as the old one or the new one by everybody who
 * has it open. */
#include "support/database.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "db/copy.h"
#include "db/turnstile.h"

enum { ROWS = 400, PAGE_BYTES = 4096 };

struct scene {
	struct test_database live, other;
	char kept[128], draft[128];
	struct copy_replacement replacement;
	int n_told, n_told_replacing;
	bool others_could_write;
	int64_t rows_seen_meanwhile;
};

static void
fill(struct test_database *test, const char *word, int n)
{
	char sql[256];

	test_database_run(test, "DROP TABLE IF EXISTS pages; CREATE TABLE pages (word TEXT, filling BLOB)");
	snprintf(sql, sizeof sql,
		 "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
		 " INSERT INTO pages SELECT '%s', randomblob(3000) FROM n",
		 n, word);
	test_database_run(test, sql);
}

static int64_t
count(struct test_database *test)
{
	return test_database_int64(test, "SELECT count(*) FROM pages");
}

/* Stands for whoever has the database open meanwhile. */
static void
tell(void *context, const char *what, int64_t n_done, int64_t n_all)
{
	struct scene *scene = context;
	struct turnstile turnstile;

	scene->n_told++;
	if (!strstr(what, "in place") || strstr(what, "keeping") || n_done == n_all)
		return;
	scene->n_told_replacing++;
	check_ok(&scene->live, turnstile_open(scene->live.path, &turnstile));
	scene->others_could_write = scene->others_could_write || turnstile_try(turnstile.write_fd);
	turnstile_close(&turnstile);
	scene->rows_seen_meanwhile = count(&scene->live);
}

static int
setup(void **state)
{
	struct scene *scene = calloc(1, sizeof *scene);

	assert_non_null(scene);
	test_database_create(&scene->live);
	test_database_create(&scene->other);
	snprintf(scene->kept, sizeof scene->kept, "%s/kept", scene->live.folder);
	snprintf(scene->draft, sizeof scene->draft, "%s/draft", scene->live.folder);
	scene->replacement = (struct copy_replacement){
		.from = scene->other.path,
		.into = scene->live.path,
		.keep_as = scene->kept,
		.draft = scene->draft,
		.progress = {tell, scene},
	};
	*state = scene;
	return 0;
}

static int
teardown(void **state)
{
	struct scene *scene = *state;

	test_database_destroy(&scene->live);
	test_database_destroy(&scene->other);
	free(scene);
	return 0;
}

/* Another connection to a file, for one number. */
static int64_t
ask(const char *path, const char *sql)
{
	struct test_database one = {0};
	int64_t value;

	snprintf(one.url, sizeof one.url, "sqlite:%s", path);
	check_ok(&one, db_open(one.url, DB_ACCESS_READ, &one.db, NULL));
	value = test_database_int64(&one, sql);
	db_close(one.db);
	return value;
}

static void
assert_sound(struct scene *scene, const char *path)
{
	struct fault fault = {0};

	if (copy_check(path, &scene->replacement.progress, &fault) != OK)
		fail_msg("%s %s", path, fault.detail);
}

static void
assert_nothing_kept(struct scene *scene)
{
	assert_int_equal(access(scene->kept, F_OK), -1);
	assert_int_equal(access(scene->draft, F_OK), -1);
}

static void
only_a_file_has_a_path(void **state)
{
	struct fault fault = {0};
	const char *path;

	(void)state;
	assert_int_equal(copy_path("sqlite:/a/b.db", &path, NULL), OK);
	assert_string_equal(path, "/a/b.db");
	check_status(copy_path("postgres://x/y", &path, &fault), ERR_INVALID);
	check_status(copy_path("sqlitex:/a", &path, &fault), ERR_INVALID);
}

/* Writes over the middle of a page of the file itself. */
static void
damage(const char *path, int page)
{
	char bytes[PAGE_BYTES];
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	memset(bytes, 'x', sizeof bytes);
	assert_int_equal(pwrite(fd, bytes, sizeof bytes, (off_t)(page - 1) * PAGE_BYTES), sizeof bytes);
	close(fd);
}

/* What only SQLite itself understands. */
static void
run_raw(const char *path, const char *sql)
{
	sqlite3 *handle;

	assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
	if (sqlite3_exec(handle, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(handle));
	sqlite3_close(handle);
}

/* A file without a WAL, as a copy is. */
static void
make_copy(struct scene *scene, char ret_path[128])
{
	char sql[256];

	snprintf(ret_path, 128, "%s/copy", scene->other.folder);
	unlink(ret_path);
	snprintf(sql, sizeof sql, "VACUUM INTO '%s'", ret_path);
	run_raw(scene->other.path, sql);
}

static void
damage_is_found(void **state)
{
	struct scene *scene = *state;
	const struct copy_progress *progress = &scene->replacement.progress;
	struct fault fault = {0};
	char path[128];

	fill(&scene->other, "new", ROWS);
	make_copy(scene, path);
	assert_sound(scene, path);
	assert_true(scene->n_told > 0);
	damage(path, 2);
	check_status(copy_check(path, progress, &fault), ERR_INVALID);
	assert_string_equal(fault.code, "copy_damaged");
	assert_null(strchr(fault.detail, '\n'));
	damage(path, 1);
	check_status(copy_check(path, progress, &fault), ERR_UNAVAILABLE);
	assert_non_null(strstr(fault.detail, "not a database"));
	check_status(copy_check("/nowhere/at/all", progress, &fault), ERR_UNAVAILABLE);
}

static void
a_reference_to_nothing_is_found(void **state)
{
	struct scene *scene = *state;
	struct fault fault = {0};
	char path[128];

	make_copy(scene, path);
	run_raw(path, "CREATE TABLE parents (id INTEGER PRIMARY KEY); INSERT INTO parents VALUES (7);"
		      "CREATE TABLE children (parent INTEGER REFERENCES parents); INSERT INTO children VALUES (7)");
	assert_sound(scene, path);
	run_raw(path, "DELETE FROM parents");
	check_status(copy_check(path, &scene->replacement.progress, &fault), ERR_INVALID);
	assert_non_null(strstr(fault.detail, "children"));
}

static void
others_see_the_old_or_the_new(void **state)
{
	struct scene *scene = *state;
	struct stat info;
	bool kept;

	fill(&scene->live, "old", ROWS);
	fill(&scene->other, "new", 2 * ROWS);
	check_ok(&scene->live, db_begin(scene->live.db, DB_READ));
	assert_int_equal(count(&scene->live), ROWS);
	check_ok(&scene->live, copy_replace(&scene->replacement, &kept, NULL));
	assert_int_equal(count(&scene->live), ROWS); /* its snapshot */
	check_ok(&scene->live, db_commit(scene->live.db, NULL));
	assert_int_equal(count(&scene->live), 2 * ROWS);

	assert_true(scene->n_told_replacing > 1);
	assert_false(scene->others_could_write);
	assert_int_equal(scene->rows_seen_meanwhile, ROWS);
	assert_true(kept);
	assert_int_equal(access(scene->draft, F_OK), -1);
	assert_int_equal(stat(scene->kept, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
	assert_int_equal(ask(scene->kept, "SELECT count(*) FROM pages WHERE word = 'old'"), ROWS);
	test_database_run(&scene->live, "INSERT INTO pages VALUES ('newer', NULL)");
	assert_int_equal(ask(scene->live.path, "SELECT count(*) FROM pages"), 2 * ROWS + 1);
	assert_sound(scene, scene->live.path);
}

static void
a_small_one_replaces_a_big_one_and_back(void **state)
{
	struct scene *scene = *state;
	char kept_again[160];
	bool kept;

	fill(&scene->live, "old", ROWS);
	fill(&scene->other, "new", 3);
	check_ok(&scene->live, copy_replace(&scene->replacement, &kept, NULL));
	assert_int_equal(count(&scene->live), 3);
	assert_true(test_database_int64(&scene->live, "PRAGMA page_count") < ROWS / 2);
	assert_sound(scene, scene->live.path);

	snprintf(kept_again, sizeof kept_again, "%s-2", scene->kept);
	scene->replacement.from = scene->kept;
	scene->replacement.keep_as = kept_again;
	check_ok(&scene->live, copy_replace(&scene->replacement, &kept, NULL));
	assert_int_equal(count(&scene->live), ROWS);
	assert_int_equal(ask(kept_again, "SELECT count(*) FROM pages WHERE word = 'new'"), 3);
	assert_sound(scene, scene->live.path);
}

static void
nothing_in_place_is_not_kept(void **state)
{
	struct scene *scene = *state;
	char missing[128];
	bool kept;

	fill(&scene->other, "new", 3);
	check_ok(&scene->live, copy_replace(&scene->replacement, &kept, NULL));
	assert_false(kept);
	assert_nothing_kept(scene);
	assert_int_equal(count(&scene->live), 3);

	snprintf(missing, sizeof missing, "%s/missing.db", scene->live.folder);
	scene->replacement.into = missing;
	check_ok(&scene->live, copy_replace(&scene->replacement, &kept, NULL));
	assert_false(kept);
	assert_int_equal(ask(missing, "SELECT count(*) FROM pages"), 3);
	assert_int_equal(ask(missing, "SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'"), 1);
}

static void
what_cannot_be_read_any_more_is_replaced_and_kept(void **state)
{
	struct scene *scene = *state;
	char path[128];
	bool kept;

	fill(&scene->live, "looked at meanwhile", 1);
	fill(&scene->other, "old", ROWS);
	make_copy(scene, path);
	damage(path, 2);
	fill(&scene->other, "new", 3);
	scene->replacement.into = path;
	check_ok(&scene->live, copy_replace(&scene->replacement, &kept, NULL));
	assert_true(kept);
	assert_int_equal(ask(path, "SELECT count(*) FROM pages"), 3);
	assert_sound(scene, path);
}

/* As a full disk does, in the middle of the transaction. */
static void
a_write_that_fails_leaves_the_old(void **state)
{
	struct scene *scene = *state;
	struct rlimit before, small = {.rlim_cur = 3 * 1024 * 1024};
	struct fault fault = {0};
	enum status status;
	bool kept;

	fill(&scene->live, "old", ROWS);
	fill(&scene->other, "new", 3 * ROWS);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	small.rlim_max = before.rlim_max;
	setrlimit(RLIMIT_FSIZE, &small);
	status = copy_replace(&scene->replacement, &kept, &fault);
	setrlimit(RLIMIT_FSIZE, &before);

	check_status(status, ERR_UNAVAILABLE);
	assert_string_equal(fault.code, "not_replaced");
	assert_true(scene->n_told_replacing > 1);
	assert_false(kept);
	assert_nothing_kept(scene);
	test_database_run(&scene->live, "INSERT INTO pages VALUES ('older', NULL)");
	assert_int_equal(ask(scene->live.path, "SELECT count(*) FROM pages"), ROWS + 1);
	assert_sound(scene, scene->live.path);
}

static void
pages_of_another_size_are_refused(void **state)
{
	struct scene *scene = *state;
	struct fault fault = {0};
	char path[128];
	bool kept;

	fill(&scene->live, "old", 3);
	fill(&scene->other, "new", 3);
	make_copy(scene, path);
	run_raw(path, "PRAGMA journal_mode = DELETE; PRAGMA page_size = 8192; VACUUM");
	assert_int_equal(ask(path, "PRAGMA page_size"), 8192);
	scene->replacement.from = path;
	check_status(copy_replace(&scene->replacement, &kept, &fault), ERR_UNAVAILABLE);
	assert_string_equal(fault.code, "page_size");
	assert_nothing_kept(scene);
	assert_int_equal(count(&scene->live), 3);
	test_database_run(&scene->live, "INSERT INTO pages VALUES ('older', NULL)");
}

int
main(void)
{
#define WITH_SCENE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_file_has_a_path),
		WITH_SCENE(damage_is_found),
		WITH_SCENE(a_reference_to_nothing_is_found),
		WITH_SCENE(others_see_the_old_or_the_new),
		WITH_SCENE(a_small_one_replaces_a_big_one_and_back),
		WITH_SCENE(nothing_in_place_is_not_kept),
		WITH_SCENE(what_cannot_be_read_any_more_is_replaced_and_kept),
		WITH_SCENE(a_write_that_fails_leaves_the_old),
		WITH_SCENE(pages_of_another_size_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
