/* Table audit: see audit.h. */
#include "store/audit.h"

#include "store/rows.h"

/* Sorts after every id. */
#define LAST_ID "g"

enum status
audit_insert(struct db *db, const struct audit_entry *entry)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "INSERT INTO audit (id, at, actor, action, target, address, request_id, detail)"
			       " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)");

	db_bind_text(stmt, 1, entry->id);
	db_bind_int64(stmt, 2, entry->at_ms);
	db_bind_text(stmt, 3, entry->actor);
	db_bind_text(stmt, 4, entry->action);
	db_bind_text(stmt, 5, entry->target);
	db_bind_text(stmt, 6, entry->address);
	db_bind_text(stmt, 7, entry->request_id);
	db_bind_text(stmt, 8, entry->detail);
	return db_run(stmt);
}

static void
read_entry(struct db_stmt *stmt, struct arena *arena, struct audit_entry *ret_entry)
{
	db_column_copy(stmt, 0, ret_entry->id, sizeof ret_entry->id);
	ret_entry->at_ms = db_column_int64(stmt, 1);
	ret_entry->actor = db_column_text(stmt, 2, arena);
	ret_entry->action = db_column_text(stmt, 3, arena);
	ret_entry->target = db_column_text(stmt, 4, arena);
	ret_entry->address = db_column_text(stmt, 5, arena);
	ret_entry->request_id = db_column_text(stmt, 6, arena);
	ret_entry->detail = db_column_text(stmt, 7, arena);
}

enum status
audit_list(struct db *db, struct arena *arena, const struct audit_filter *filter, const char *before_id, int64_t limit,
	   struct audit_entry **ret_entries, size_t *ret_n, bool *ret_more)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db,
			   "SELECT id, at, actor, action, target, address, request_id, detail FROM audit WHERE id < $1"
			   " AND ($2 = '' OR actor = $2) AND ($3 = '' OR target = $3)"
			   " AND ($4 = '' OR action = $4 OR (action > $5 AND action < $6)) ORDER BY id DESC LIMIT $7");
	struct audit_entry *entries = NULL;
	size_t n = 0;
	bool row;

	db_bind_text(stmt, 1, before_id ? before_id : LAST_ID);
	db_bind_text(stmt, 2, filter->actor);
	db_bind_text(stmt, 3, filter->target);
	db_bind_text(stmt, 4, filter->action);
	db_bind_text(stmt, 5, arena_printf(arena, "%s.", filter->action));
	db_bind_text(stmt, 6, arena_printf(arena, "%s/", filter->action)); /* the character after the dot */
	db_bind_int64(stmt, 7, limit + 1);
	for (;;) {
		TRY(db_step(stmt, &row));
		if (!row || n == (size_t)limit)
			break;
		entries = rows_grow(arena, entries, n, sizeof *entries);
		read_entry(stmt, arena, &entries[n++]);
	}
	*ret_entries = entries;
	*ret_n = n;
	*ret_more = row;
	return OK;
}

enum status
audit_last(struct db *db, const char *target, const char *action, int64_t *ret_at_ms)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT at FROM audit WHERE target = $1 AND action = $2 ORDER BY id DESC LIMIT 1");
	bool found;

	db_bind_text(stmt, 1, target);
	db_bind_text(stmt, 2, action);
	TRY(db_one(stmt, &found));
	*ret_at_ms = found ? db_column_int64(stmt, 0) : 0;
	return OK;
}
