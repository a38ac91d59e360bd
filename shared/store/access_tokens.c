/* Personal access tokens: see access_tokens.h. */
#include "store/access_tokens.h"

#include "store/rows.h"

enum status
access_tokens_find(struct db *db, const char *hash, int64_t now_ms, struct login_session *ret_session,
		   struct fault *ret_fault)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(
		db,
		"SELECT s.id, s.user_id, s.last_used_at, s.expires_at FROM sessions s JOIN users u ON u.id = s.user_id"
		" WHERE s.family_hash = $1 AND s.kind = 'token' AND s.expires_at > $2 AND s.revoked_at IS NULL"
		" AND u.disabled_at IS NULL AND u.deleted_at IS NULL");
	bool row;

	db_bind_text(stmt, 1, hash);
	db_bind_int64(stmt, 2, now_ms);
	TRY(db_one(stmt, &row));
	if (!row)
		return fault_set(
			ret_fault, ERR_UNAUTHORIZED, "token_invalid", NULL,
			"This personal access token has been revoked, has expired, or never was: make another.");
	*ret_session = (struct login_session){0};
	db_column_copy(stmt, 0, ret_session->id, sizeof ret_session->id);
	db_column_copy(stmt, 1, ret_session->user_id, sizeof ret_session->user_id);
	ret_session->last_used_at_ms = db_column_int64(stmt, 2);
	ret_session->expires_at_ms = db_column_int64(stmt, 3);
	return OK;
}

enum status
access_tokens_list(struct db *db, struct arena *arena, const char *user_id, int64_t now_ms,
		   struct login_session **ret_tokens, size_t *ret_n)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT id, name, prefix, created_at, last_used_at, expires_at FROM sessions"
			       " WHERE user_id = $1 AND kind = 'token' AND revoked_at IS NULL AND expires_at > $2"
			       " ORDER BY created_at DESC, id DESC LIMIT $3");
	struct login_session *tokens = NULL;
	size_t n = 0;
	bool row;

	db_bind_text(stmt, 1, user_id);
	db_bind_int64(stmt, 2, now_ms);
	db_bind_int64(stmt, 3, ACCESS_TOKENS_MAX);
	for (;;) {
		TRY(db_step(stmt, &row));
		if (!row)
			break;
		tokens = rows_grow(arena, tokens, n, sizeof *tokens);
		struct login_session *token = &tokens[n++];

		*token = (struct login_session){0};
		db_column_copy(stmt, 0, token->id, sizeof token->id);
		token->name = db_column_text(stmt, 1, arena);
		token->prefix = db_column_text(stmt, 2, arena);
		token->created_at_ms = db_column_int64(stmt, 3);
		token->last_used_at_ms = db_column_int64(stmt, 4);
		token->expires_at_ms = db_column_int64(stmt, 5);
	}
	*ret_tokens = tokens;
	*ret_n = n;
	return OK;
}

enum status
access_tokens_set_used(struct db *db, const char *token_id, int64_t now_ms)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "UPDATE sessions SET last_used_at = $2 WHERE id = $1 AND kind = 'token'");

	db_bind_text(stmt, 1, token_id);
	db_bind_int64(stmt, 2, now_ms);
	return db_run(stmt);
}
