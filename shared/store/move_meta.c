/* What the two databases of a move say of themselves: see move.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/meta.h"
#include "store/move.h"

static enum status
get(struct db *db, const char *key, char *ret_value, size_t size)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, "SELECT value FROM meta WHERE key = $1");
	bool row;

	*ret_value = '\0';
	db_bind_text(stmt, 1, key);
	TRY(db_one(stmt, &row));
	if (row)
		db_column_copy(stmt, 0, ret_value, size);
	return OK;
}

static enum status
set(struct db *db, const char *key, const char *value)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(
		db,
		"INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value");

	db_bind_text(stmt, 1, key);
	db_bind_text(stmt, 2, value);
	return db_run(stmt);
}

static enum status
unset(struct db *db, const char *key)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, "DELETE FROM meta WHERE key = $1");

	db_bind_text(stmt, 1, key);
	return db_run(stmt);
}

enum status
move_place(struct db *db, struct move_place *ret_place)
{
	struct move_place place = {0};

	TRY(get(db, "state", place.state, sizeof place.state));
	if (*place.state)
		TRY(meta_epoch(db, place.epoch));
	TRY(get(db, "move_run", place.run, sizeof place.run));
	for (int table = 0; table < MOVE__MAX && !place.has_people; table++) {
		int64_t n;

		if (table == MOVE_MESSAGES || table == MOVE_REACTIONS)
			continue; /* there is none without a conversation, and counting takes long */
		TRY(move_count(db, (enum move_table)table, &n));
		place.has_people = n > 0;
	}
	*ret_place = place;
	return OK;
}

static enum status
set_timeline(struct db *db)
{
	char text[META_VALUE_SIZE];
	int64_t timeline;

	TRY(db_timeline(db, &timeline));
	snprintf(text, sizeof text, "%" PRId64, timeline);
	return set(db, "timeline", text);
}

enum status
move_claim(struct db *to, const char *run, const char *epoch)
{
	TRY(set(to, "state", "loading"));
	TRY(set(to, "epoch", epoch));
	TRY(set_timeline(to));
	return set(to, "move_run", run);
}

enum status
move_hold(struct db *to, const char *run)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(to, "UPDATE meta SET value = value WHERE key = 'move_run' AND value = $1 RETURNING 1");
	bool row;

	db_bind_text(stmt, 1, run);
	TRY(db_one(stmt, &row));
	return row ? OK : ERR_CONFLICT;
}

enum status
move_settings(struct db *from, struct db *to)
{
	CLEANUP(arena_finish) struct arena arena = {0};
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(from, "SELECT key, value FROM meta WHERE key NOT IN"
				 " ('schema', 'compatible_from', 'epoch', 'timeline', 'state', 'change_no', 'move_run',"
				 " 'moved_to')");
	bool row;

	for (;;) {
		TRY(db_step(stmt, &row));
		if (!row)
			return OK;
		TRY(set(to, db_column_text(stmt, 0, &arena), db_column_text(stmt, 1, &arena)));
	}
}

enum status
move_analyze(struct db *to)
{
	if (!db_can_load(to))
		return OK;
	TRY(db_begin(to, DB_WRITE));
	TRY(db_take_time(to));
	TRY(db_run_script(to, "ANALYZE"));
	return db_commit(to, NULL);
}

enum status
move_leave(struct db *from, const char *to)
{
	TRY(set(from, "moved_to", to));
	return set(from, "state", "moved");
}

enum status
move_open(struct db *to)
{
	TRY(set_timeline(to));
	TRY(unset(to, "moved_to")); /* it may have been a source once */
	TRY(unset(to, "move_run"));
	return set(to, "state", "serving");
}
