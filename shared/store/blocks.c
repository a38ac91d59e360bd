/* Table blocks: see blocks.h. */
#include "store/blocks.h"

#include "store/rows.h"

enum status
blocks_has(struct db *db, const char *user_id, const char *other_id, bool *ret_blocked)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db,
			   "SELECT 1 FROM blocks WHERE user_id = $1 AND blocked_user_id = $2 AND removed_at IS NULL");

	db_bind_text(stmt, 1, user_id);
	db_bind_text(stmt, 2, other_id);
	return db_one(stmt, ret_blocked);
}

enum status
blocks_set(struct db *db, const char *user_id, const struct block *block, int64_t now_ms)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "INSERT INTO blocks (user_id, blocked_user_id, user_rev, created_at, removed_at)"
			       " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (user_id, blocked_user_id) DO UPDATE SET"
			       " user_rev = excluded.user_rev, created_at = excluded.created_at,"
			       " removed_at = excluded.removed_at");

	db_bind_text(stmt, 1, user_id);
	db_bind_text(stmt, 2, block->user_id);
	db_bind_int64(stmt, 3, block->user_rev);
	db_bind_int64(stmt, 4, now_ms);
	db_bind_time(stmt, 5, block->blocked ? 0 : now_ms);
	return db_run(stmt);
}

enum status
blocks_list(struct db *db, struct arena *arena, const char *user_id, int64_t before_ms, const char *before_id,
	    int64_t limit, struct blocked_user **ret_blocked, size_t *ret_n, bool *ret_more)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT u.id, u.username, u.display_name, b.created_at"
			       " FROM blocks b JOIN users u ON u.id = b.blocked_user_id"
			       " WHERE b.user_id = $1 AND b.removed_at IS NULL"
			       " AND (b.created_at, b.blocked_user_id) < ($2, $3)"
			       " ORDER BY b.created_at DESC, b.blocked_user_id DESC LIMIT $4");
	struct blocked_user *blocked = NULL;
	size_t n = 0;
	bool row;

	db_bind_text(stmt, 1, user_id);
	db_bind_int64(stmt, 2, before_ms);
	db_bind_text(stmt, 3, before_id);
	db_bind_int64(stmt, 4, limit + 1);
	for (;;) {
		TRY(db_step(stmt, &row));
		if (!row || n == (size_t)limit)
			break;
		blocked = rows_grow(arena, blocked, n, sizeof *blocked);
		struct blocked_user *one = &blocked[n++];

		*one = (struct blocked_user){.created_at_ms = db_column_int64(stmt, 3)};
		db_column_copy(stmt, 0, one->user.id, sizeof one->user.id);
		one->user.username = db_column_text(stmt, 1, arena);
		one->user.display_name = db_column_text(stmt, 2, arena);
	}
	*ret_blocked = blocked;
	*ret_n = n;
	*ret_more = row;
	return OK;
}

enum status
blocks_changed(struct db *db, struct arena *arena, const char *user_id, struct person_changes *changes)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT blocked_user_id, removed_at, user_rev FROM blocks"
			       " WHERE user_id = $1 AND user_rev > $2 AND user_rev <= $3 ORDER BY user_rev");
	bool row;

	db_bind_text(stmt, 1, user_id);
	db_bind_int64(stmt, 2, changes->after_rev);
	db_bind_int64(stmt, 3, changes->next_after_rev);
	for (;;) {
		TRY(db_step(stmt, &row));
		if (!row)
			return OK;
		changes->blocks = rows_grow(arena, changes->blocks, changes->n_blocks, sizeof *changes->blocks);
		struct block *block = &changes->blocks[changes->n_blocks++];

		db_column_copy(stmt, 0, block->user_id, sizeof block->user_id);
		block->blocked = db_column_is_null(stmt, 1);
		block->user_rev = db_column_int64(stmt, 2);
	}
}
