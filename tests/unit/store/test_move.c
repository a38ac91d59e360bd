/* What moving rests on: every column of the schema has its place, rows come out as they went in, changes of messages are all
 * found, and only one run fills a destination. */
#include "support/chat.h"

#include "store/meta.h"
#include "store/move.h"

static struct move_row last;
static int64_t n_taken, sum_of_revs;

static enum status
take(void *context, const struct move_row *row)
{
	(void)context;
	last = *row; /* its texts are gone afterwards */
	n_taken++;
	sum_of_revs += row->values[2].number;
	return OK;
}

static const struct move_sink sink = {take, NULL};

static const char *
columns_sql(struct test_database *test)
{
	return db_dialect(test->db) == DB_DIALECT_SQLITE
		       ? "SELECT name FROM pragma_table_info($1) WHERE name <> 'change_no'"
		       : "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema()"
			 " AND table_name = $1 AND column_name <> 'change_no'";
}

/* What stands between the parentheses of its `load`, with a comma behind the last one too. */
static const char *
columns_of(const struct move_layout *layout, struct arena *arena)
{
	const char *from = strchr(layout->load, '(') + 1;

	return arena_printf(arena, "%.*s, ", (int)strcspn(from, ")"), from);
}

static size_t
count_names(const char *columns)
{
	size_t n = 0;

	while ((columns = strstr(columns, ", ")) != NULL) {
		columns += 2;
		n++;
	}
	return n;
}

static bool
is_named(const char *columns, const char *name)
{
	size_t len = strlen(name);

	for (; *columns; columns = strstr(columns, ", ") + 2)
		if (strncmp(columns, name, len) == 0 && columns[len] == ',')
			return true;
	return false;
}

/* All statements of a table name the same columns in the same order. */
static void
check_statements(const struct move_layout *layout, const char *columns, struct arena *arena)
{
	int len = (int)strlen(columns) - 2;
	const char *listed = arena_printf(arena, "INSERT INTO %s (%.*s) VALUES", layout->name, len, columns);
	const char *selected = arena_printf(arena, "SELECT %.*s FROM %s ", len, columns, layout->name);

	assert_ptr_equal(strstr(layout->put, listed), layout->put);
	if (layout->page)
		assert_ptr_equal(strstr(layout->page, selected), layout->page);
	if (layout->one)
		assert_ptr_equal(strstr(layout->one, selected), layout->one);
}

static void
every_column_has_its_place(void **state)
{
	struct test_database *test = *state;

	for (int table = 0; table < MOVE__MAX; table++) {
		const struct move_layout *layout = &move_layouts[table];
		CLEANUP(arena_finish) struct arena arena = {0};
		const char *columns = columns_of(layout, &arena);
		struct db_stmt *stmt = db_prepare(test->db, columns_sql(test));
		size_t n = 0;
		bool row;

		check_statements(layout, columns, &arena);
		db_bind_text(stmt, 1, layout->name);
		for (;; n++) {
			check_ok(test, db_step(stmt, &row));
			if (!row)
				break;
			if (!is_named(columns, db_column_text(stmt, 0, &arena)))
				fail_msg("column %s of %s is moved nowhere: name it in move_layouts",
					 db_column_text(stmt, 0, &arena), layout->name);
		}
		db_finish(stmt);
		assert_int_equal(n, count_names(columns));
		assert_int_equal(n, strlen(layout->types));
	}
	/* ... and every table: besides these there are meta and migrations. */
	assert_int_equal(test_database_int64(test, db_dialect(test->db) == DB_DIALECT_SQLITE
							   ? "SELECT count(*) FROM sqlite_master WHERE type = 'table'"
							     " AND name NOT LIKE 'sqlite_%'"
							   : "SELECT count(*) FROM information_schema.tables"
							     " WHERE table_schema = current_schema()"),
			 MOVE__MAX + 2);
}

static struct move_row
user_row(const char *id, const char *name)
{
	struct move_row row = {.table = MOVE_USERS};

	for (int i = 0; move_layouts[MOVE_USERS].types[i]; i++)
		row.values[i] = (struct move_value){.text = move_layouts[MOVE_USERS].types[i] == 't' ? name : NULL,
						    .number = 1,
						    .is_null = i >= 10};
	row.values[0].text = id;
	row.values[2].text = id; /* is unique */
	row.values[6].text = "member";
	return row;
}

static struct hash
hash_in_database(struct test_database *test, const struct move_row *row, const struct hash_key *key)
{
	struct buf scratch = {0};
	struct move_row found;
	struct hash hash;
	bool exists;

	check_ok(test, move_one(test->db, row, &test->arena, &found, &exists));
	assert_true(exists);
	hash = move_row_hash(&found, key, &scratch);
	buf_finish(&scratch);
	return hash;
}

static void
rows_come_out_as_they_went_in(void **state)
{
	struct test_database *test = *state;
	static const char *const names[] = {"plain", "tab\tand\\line\nand\rreturn \\N \\.", "",
					    "\xc3\xbc\xf0\x9f\x98\x80"};
	struct buf scratch = {0}, rows = {0};
	struct hash_key key;

	hash_key_make(&key);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct move_row row = user_row(arena_printf(&test->arena, "put-%zu", i), names[i]);
		struct hash hash = move_row_hash(&row, &key, &scratch), stored;

		chat_write(test, move_row_put(test->db, &row));
		stored = hash_in_database(test, &row, &key);
		assert_true(hash_equal(&hash, &stored));
		row.values[3].text = "another";
		chat_write(test, move_row_put(test->db, &row)); /* over it */
		stored = hash_in_database(test, &row, &key);
		assert_false(hash_equal(&hash, &stored));

		if (!db_can_load(test->db))
			continue;
		row = user_row(arena_printf(&test->arena, "load-%zu", i), names[i]);
		hash = move_row_hash(&row, &key, &scratch);
		buf_clear(&rows);
		move_row_encode(&row, &rows);
		chat_write(test, db_load(test->db, move_layouts[MOVE_USERS].load, rows.bytes, rows.len));
		stored = hash_in_database(test, &row, &key);
		assert_true(hash_equal(&hash, &stored));
	}
	buf_finish(&scratch);
	buf_finish(&rows);
}

static void
no_two_rows_are_hashed_alike(void **state)
{
	struct move_row a = user_row("id", "name"), b = a;
	struct buf scratch = {0};
	struct hash_key key;
	struct hash of_a, of_b;

	(void)state;
	hash_key_make(&key);
	of_a = move_row_hash(&a, &key, &scratch);
	b.values[3].text = "nam";
	b.values[4].text = "ename"; /* the same letters in a row */
	of_b = move_row_hash(&b, &key, &scratch);
	assert_false(hash_equal(&of_a, &of_b));
	b = a;
	b.values[11] = (struct move_value){.number = 0}; /* not NULL, but 0 */
	of_b = move_row_hash(&b, &key, &scratch);
	assert_false(hash_equal(&of_a, &of_b));
	b = a;
	b.values[8].number = 0;
	of_b = move_row_hash(&b, &key, &scratch);
	assert_false(hash_equal(&of_a, &of_b));
	of_a = move_row_key(&a, &key, &scratch);
	of_b = move_row_key(&b, &key, &scratch);
	assert_true(hash_equal(&of_a, &of_b));
	buf_finish(&scratch);
}

/* A load that the database refuses leaves a connection that can be used again. */
static void
a_refused_load_stores_nothing(void **state)
{
	struct test_database *test = *state;
	struct move_row row = user_row("one", "name");
	struct buf rows = {0};

	if (!db_can_load(test->db))
		return;
	move_row_encode(&row, &rows);
	move_row_encode(&row, &rows);
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_status(db_load(test->db, move_layouts[MOVE_USERS].load, rows.bytes, rows.len), ERR_CONFLICT);
	check_status(db_commit(test->db, NULL), ERR_UNAVAILABLE);
	assert_int_equal(test_database_int64(test, "SELECT count(*) FROM users"), 0);
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_status(db_load(test->db, "COPY nothing FROM STDIN", rows.bytes, rows.len), ERR_INTERNAL);
	db_rollback(test->db);
	chat_write(test, move_row_put(test->db, &row));
	buf_finish(&rows);
}

static void
messages_are_found_by_seq_and_by_change(void **state)
{
	struct test_database *test = *state;
	char anna[ID_SIZE], bert[ID_SIZE], room[ID_SIZE];
	struct move_cursor cursor;
	int64_t n;

	chat_make_user(test, "anna", anna);
	chat_make_user(test, "bert", bert);
	chat_make_direct(test, anna, bert, CHAT_NOW_MS, room);
	chat_send(test, room, anna, CHAT_NOW_MS, 6); /* revs 2 ... 7 */
	/* Three have one rev: a page may end between them. */
	chat_change(test, "UPDATE messages SET rev = 9 WHERE conversation_id = $1 AND seq IN (1, 3, 5)", room, NULL);

	cursor = (struct move_cursor){room, 0, 2};
	check_ok(test, move_new_messages(test->db, &cursor, 3, &sink, &n));
	assert_int_equal(n, 3);
	assert_int_equal(last.values[1].number, 5);

	cursor = (struct move_cursor){room, 7, 4};
	check_ok(test, move_changed_messages(test->db, &cursor, 10, &sink, &n));
	assert_int_equal(n, 2); /* 1 and 3: 5 is not there yet */

	n_taken = sum_of_revs = 0;
	cursor = (struct move_cursor){room, -1, INT64_MAX};
	do {
		check_ok(test, move_messages_since(test->db, &cursor, 2, &sink, &n));
		cursor.rev = last.values[2].number;
		cursor.seq = last.values[1].number;
	} while (n == 2);
	assert_int_equal(n_taken, 6);
	assert_int_equal(sum_of_revs, 3 + 5 + 7 + 3 * 9);
}

static void
one_run_fills_a_destination(void **state)
{
	struct test_database *test = *state;
	struct move_place place;

	check_ok(test, move_place(test->db, &place));
	assert_string_equal(place.state, "serving");
	assert_false(place.has_people);

	chat_write(test, move_claim(test->db, "first", "the epoch"));
	chat_write(test, move_hold(test->db, "first"));
	chat_write(test, move_claim(test->db, "second", "the epoch"));
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_status(move_hold(test->db, "first"), ERR_CONFLICT);
	check_ok(test, move_hold(test->db, "second"));
	check_ok(test, db_commit(test->db, NULL));
	check_ok(test, move_place(test->db, &place));
	assert_string_equal(place.state, "loading");
	assert_string_equal(place.epoch, "the epoch");
	check_status(migrate_check(test->db, NULL), ERR_UNAVAILABLE);

	chat_write(test, move_open(test->db));
	check_ok(test, move_place(test->db, &place));
	assert_string_equal(place.state, "serving");
	assert_string_equal(place.run, "");
	check_ok(test, meta_check_serving(test->db, NULL));
	check_ok(test, migrate_check(test->db, NULL));
}

static void
a_source_that_was_left_says_where_to_go(void **state)
{
	struct test_database *test = *state;
	struct fault fault = {0};

	chat_write(test, move_leave(test->db, "postgres://db.example/chat"));
	check_status(meta_check_serving(test->db, &fault), ERR_UNAVAILABLE);
	assert_string_equal(fault.code, "moved");
	check_status(migrate_check(test->db, &fault), ERR_UNAVAILABLE);
	assert_non_null(strstr(fault.detail, "set database.url to postgres://db.example/chat"));
}

static void
settings_go_along_but_not_what_is_the_databases_own(void **state)
{
	struct test_database *test = *state, other;
	char sign_up[META_SIGN_UP_SIZE], before[EVENT_EPOCH_SIZE], after[EVENT_EPOCH_SIZE];

	test_database_create(&other);
	test_database_migrate(&other);
	chat_write(test, meta_set_sign_up(test->db, "closed"));
	check_ok(&other, meta_epoch(other.db, before));
	chat_write(&other, move_settings(test->db, other.db));
	check_ok(&other, meta_sign_up(other.db, sign_up));
	assert_string_equal(sign_up, "closed");
	check_ok(&other, meta_epoch(other.db, after));
	assert_string_equal(after, before);
	test_database_destroy(&other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DATABASE(every_column_has_its_place),
		WITH_DATABASE(rows_come_out_as_they_went_in),
		cmocka_unit_test(no_two_rows_are_hashed_alike),
		WITH_DATABASE(a_refused_load_stores_nothing),
		WITH_DATABASE(messages_are_found_by_seq_and_by_change),
		WITH_DATABASE(one_run_fills_a_destination),
		WITH_DATABASE(a_source_that_was_left_says_where_to_go),
		WITH_DATABASE(settings_go_along_but_not_what_is_the_databases_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
