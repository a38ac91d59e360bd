/* Table invites: see invites.h. */
#include "store/invites.h"

#include "store/rows.h"

/* Sorts after every id. */
#define LAST_ID "g"

enum status
invites_insert(struct db *db, const struct invite *invite)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "INSERT INTO invites (id, code_hash, note, created_by, created_at, expires_at)"
			       " VALUES ($1, $2, $3, $4, $5, $6)");

	db_bind_text(stmt, 1, invite->id);
	db_bind_text(stmt, 2, invite->code_hash);
	db_bind_text(stmt, 3, invite->note);
	db_bind_text(stmt, 4, invite->created_by);
	db_bind_int64(stmt, 5, invite->created_at_ms);
	db_bind_int64(stmt, 6, invite->expires_at_ms);
	return db_run(stmt);
}

enum status
invites_find_open(struct db *db, const char *code_hash, int64_t now_ms, char ret_id[ID_SIZE])
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT id FROM invites WHERE code_hash = $1 AND expires_at > $2"
			       " AND used_at IS NULL AND revoked_at IS NULL");
	bool row;

	db_bind_text(stmt, 1, code_hash);
	db_bind_int64(stmt, 2, now_ms);
	TRY(db_one(stmt, &row));
	if (!row)
		return ERR_NOT_FOUND;
	db_column_copy(stmt, 0, ret_id, ID_SIZE);
	return OK;
}

/* Conditional, so that of two at once one changes nothing and is refused: by the lock of its row the second one waits. */
enum status
invites_use(struct db *db, const char *invite_id, const char *user_id, int64_t now_ms)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "UPDATE invites SET used_by = $2, used_at = $3"
			       " WHERE id = $1 AND used_at IS NULL AND revoked_at IS NULL RETURNING 1");
	bool row;

	db_bind_text(stmt, 1, invite_id);
	db_bind_text(stmt, 2, user_id);
	db_bind_int64(stmt, 3, now_ms);
	TRY(db_one(stmt, &row));
	return row ? OK : ERR_CONFLICT;
}

static enum status
exists(struct db *db, const char *invite_id, bool *ret_exists)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, "SELECT 1 FROM invites WHERE id = $1");

	db_bind_text(stmt, 1, invite_id);
	return db_one(stmt, ret_exists);
}

enum status
invites_revoke(struct db *db, const char *invite_id, int64_t now_ms, bool *ret_changed)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "UPDATE invites SET revoked_at = $2"
			       " WHERE id = $1 AND used_at IS NULL AND revoked_at IS NULL RETURNING 1");
	bool found;

	TRY(exists(db, invite_id, &found));
	if (!found)
		return ERR_NOT_FOUND;
	db_bind_text(stmt, 1, invite_id);
	db_bind_int64(stmt, 2, now_ms);
	return db_one(stmt, ret_changed);
}

static void
read_invite(struct db_stmt *stmt, struct arena *arena, struct invite *ret_invite)
{
	db_column_copy(stmt, 0, ret_invite->id, sizeof ret_invite->id);
	ret_invite->note = db_column_text(stmt, 1, arena);
	ret_invite->created_by = db_column_text(stmt, 2, arena);
	ret_invite->created_at_ms = db_column_int64(stmt, 3);
	ret_invite->expires_at_ms = db_column_int64(stmt, 4);
	db_column_copy(stmt, 5, ret_invite->used_by, sizeof ret_invite->used_by);
	ret_invite->used_at_ms = db_column_int64(stmt, 6);
	ret_invite->revoked_at_ms = db_column_int64(stmt, 7);
}

enum status
invites_list(struct db *db, struct arena *arena, const char *before_id, int64_t limit, struct invite **ret_invites,
	     size_t *ret_n, bool *ret_more)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(
		db, "SELECT id, note, created_by, created_at, expires_at, used_by, used_at, revoked_at FROM invites"
		    " WHERE id < $1 ORDER BY id DESC LIMIT $2");
	struct invite *invites = NULL;
	size_t n = 0;
	bool row;

	db_bind_text(stmt, 1, before_id ? before_id : LAST_ID);
	db_bind_int64(stmt, 2, limit + 1);
	for (;;) {
		TRY(db_step(stmt, &row));
		if (!row || n == (size_t)limit)
			break;
		invites = rows_grow(arena, invites, n, sizeof *invites);
		read_invite(stmt, arena, &invites[n++]);
	}
	*ret_invites = invites;
	*ret_n = n;
	*ret_more = row;
	return OK;
}
