/* Table sessions: see sessions.h. */
#include "store/sessions.h"

#include <stdio.h>
#include <string.h>

#include "store/meta.h"
#include "store/rows.h"

enum status
sessions_insert(struct db *db, const struct login_session *session)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(
		db, "INSERT INTO sessions (id, user_id, user_rev, refresh_hash, previous_hash, rotated_at, user_agent,"
		    " address, created_at, last_used_at, expires_at, revoked_at, family_hash, kind, name, prefix)"
		    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)");

	db_bind_text(stmt, 1, session->id);
	db_bind_text(stmt, 2, session->user_id);
	db_bind_int64(stmt, 3, session->user_rev);
	db_bind_text(stmt, 4, session->refresh_hash);
	db_bind_text(stmt, 5, session->previous_hash[0] ? session->previous_hash : NULL);
	db_bind_time(stmt, 6, session->rotated_at_ms);
	db_bind_text(stmt, 7, session->user_agent);
	db_bind_text(stmt, 8, session->address);
	db_bind_int64(stmt, 9, session->created_at_ms);
	db_bind_int64(stmt, 10, session->last_used_at_ms);
	db_bind_int64(stmt, 11, session->expires_at_ms);
	db_bind_time(stmt, 12, session->revoked_at_ms);
	db_bind_text(stmt, 13, session->family_hash);
	db_bind_text(stmt, 14, session->name ? "token" : "device");
	db_bind_text(stmt, 15, session->name);
	db_bind_text(stmt, 16, session->prefix);
	return db_run(stmt);
}

static enum status
ended(struct fault *ret_fault)
{
	return fault_set(ret_fault, ERR_UNAUTHORIZED, "session_ended", NULL, "This session has ended: log in again.");
}

/* Of a row (role, must_change_password, ...). */
static void
read_caller(struct db_stmt *stmt, const char *session_id, const char *user_id, struct caller *ret_caller)
{
	char role[8];

	db_column_copy(stmt, 0, role, sizeof role);
	*ret_caller = (struct caller){.role = strcmp(role, "admin") == 0 ? "admin" : "member",
				      .must_change_password = db_column_bool(stmt, 1)};
	snprintf(ret_caller->user_id, sizeof ret_caller->user_id, "%s", user_id);
	snprintf(ret_caller->session_id, sizeof ret_caller->session_id, "%s", session_id);
}

enum status
sessions_check(struct db *db, const char *session_id, const char *user_id, int64_t now_ms, struct caller *ret_caller,
	       struct fault *ret_fault)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT u.role, u.must_change_password FROM sessions s JOIN users u ON u.id = s.user_id"
			       " WHERE " ROWS_SESSION_IS_ALIVE);
	bool row;

	db_bind_text(stmt, 1, session_id);
	db_bind_text(stmt, 2, user_id);
	db_bind_int64(stmt, 3, now_ms);
	TRY(db_one(stmt, &row));
	if (!row)
		return ended(ret_fault);
	read_caller(stmt, session_id, user_id, ret_caller);
	return OK;
}

enum status
sessions_standing(struct db *db, const struct standing_question *question, struct caller *ret_caller,
		  struct standing *ret_standing, struct fault *ret_fault)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(
		db,
		"SELECT u.role, u.must_change_password, e.value, t.value, c.id, c.last_seq, c.last_rev, m.rev, m.user_rev,"
		" w.value, n.value FROM sessions s JOIN users u ON u.id = s.user_id LEFT JOIN meta w ON w.key = 'state'"
		" LEFT JOIN meta n ON n.key = 'names'"
		" JOIN meta e ON e.key = 'epoch' JOIN meta t ON t.key = 'timeline'"
		" LEFT JOIN members m ON m.conversation_id = $4 AND m.user_id = s.user_id AND m.left_at IS NULL"
		" LEFT JOIN conversations c ON c.id = m.conversation_id AND c.deleted_at IS NULL"
		" WHERE " ROWS_SESSION_IS_ALIVE);
	char epoch[META_VALUE_SIZE], written_on[META_VALUE_SIZE], state[META_VALUE_SIZE];
	struct standing standing = {0};
	bool row;

	db_bind_text(stmt, 1, question->session_id);
	db_bind_text(stmt, 2, question->user_id);
	db_bind_int64(stmt, 3, question->now_ms);
	db_bind_text(stmt, 4, question->conversation_id);
	TRY(db_one(stmt, &row));
	if (!row) {
		TRY(meta_check_serving(db, ret_fault)); /* what was moved away does not know new log-ins */
		return ended(ret_fault);
	}
	read_caller(stmt, question->session_id, question->user_id, ret_caller);
	db_column_copy(stmt, 2, epoch, sizeof epoch);
	db_column_copy(stmt, 3, written_on, sizeof written_on);
	db_column_copy(stmt, 4, standing.head.conversation_id, sizeof standing.head.conversation_id);
	standing.head.last_seq = db_column_int64(stmt, 5);
	standing.head.last_rev = db_column_int64(stmt, 6);
	standing.head.member_rev = db_column_int64(stmt, 7);
	standing.member_user_rev = db_column_int64(stmt, 8);
	db_column_copy(stmt, 9, state, sizeof state);
	db_column_copy(stmt, 10, standing.names, sizeof standing.names);
	TRY(meta_check_state(state, ret_fault)); /* what was moved away is out of date */
	TRY(meta_epoch_of(db, epoch, written_on, standing.epoch));
	*ret_standing = standing;
	return OK;
}

enum status
sessions_get_by_family(struct db *db, struct arena *arena, const char *family_hash, struct login_session *ret_session)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(
		db, "SELECT id, user_id, user_rev, family_hash, refresh_hash, previous_hash, rotated_at, user_agent,"
		    " address, created_at, last_used_at, expires_at, revoked_at"
		    " FROM sessions WHERE family_hash = $1 AND kind = 'device'");
	bool row;

	db_bind_text(stmt, 1, family_hash);
	TRY(db_one(stmt, &row));
	if (!row)
		return ERR_NOT_FOUND;
	*ret_session = (struct login_session){0};
	db_column_copy(stmt, 0, ret_session->id, sizeof ret_session->id);
	db_column_copy(stmt, 1, ret_session->user_id, sizeof ret_session->user_id);
	ret_session->user_rev = db_column_int64(stmt, 2);
	db_column_copy(stmt, 3, ret_session->family_hash, sizeof ret_session->family_hash);
	db_column_copy(stmt, 4, ret_session->refresh_hash, sizeof ret_session->refresh_hash);
	db_column_copy(stmt, 5, ret_session->previous_hash, sizeof ret_session->previous_hash);
	ret_session->rotated_at_ms = db_column_int64(stmt, 6);
	ret_session->user_agent = db_column_text(stmt, 7, arena);
	ret_session->address = db_column_text(stmt, 8, arena);
	ret_session->created_at_ms = db_column_int64(stmt, 9);
	ret_session->last_used_at_ms = db_column_int64(stmt, 10);
	ret_session->expires_at_ms = db_column_int64(stmt, 11);
	ret_session->revoked_at_ms = db_column_int64(stmt, 12);
	return OK;
}

enum status
sessions_rotate(struct db *db, const char *session_id, const char *new_hash, const char *previous_hash, int64_t now_ms)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(
		db, "UPDATE sessions SET refresh_hash = $2, previous_hash = $3, rotated_at = $4, last_used_at = $4"
		    " WHERE id = $1 AND revoked_at IS NULL RETURNING 1");
	bool row;

	db_bind_text(stmt, 1, session_id);
	db_bind_text(stmt, 2, new_hash);
	db_bind_text(stmt, 3, previous_hash && previous_hash[0] ? previous_hash : NULL);
	db_bind_int64(stmt, 4, now_ms);
	TRY(db_one(stmt, &row));
	return row ? OK : ERR_NOT_FOUND;
}

enum status
sessions_revoke(struct db *db, const char *session_id, const char *user_id, int64_t user_rev, int64_t now_ms,
		bool *ret_changed)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "UPDATE sessions SET revoked_at = $4, user_rev = $3"
			       " WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL RETURNING 1");

	db_bind_text(stmt, 1, session_id);
	db_bind_text(stmt, 2, user_id);
	db_bind_int64(stmt, 3, user_rev);
	db_bind_int64(stmt, 4, now_ms);
	return db_one(stmt, ret_changed);
}

enum status
sessions_list(struct db *db, struct arena *arena, const char *user_id, int64_t now_ms, int64_t before_ms,
	      const char *before_id, int64_t limit, struct login_session **ret_sessions, size_t *ret_n, bool *ret_more)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT id, user_agent, address, created_at, last_used_at, expires_at FROM sessions"
			       " WHERE user_id = $1 AND kind = 'device' AND revoked_at IS NULL AND expires_at > $2"
			       " AND (last_used_at, id) < ($3, $4) ORDER BY last_used_at DESC, id DESC LIMIT $5");
	struct login_session *sessions = NULL;
	size_t n = 0;
	bool row;

	db_bind_text(stmt, 1, user_id);
	db_bind_int64(stmt, 2, now_ms);
	db_bind_int64(stmt, 3, before_ms);
	db_bind_text(stmt, 4, before_id);
	db_bind_int64(stmt, 5, limit + 1);
	for (;;) {
		TRY(db_step(stmt, &row));
		if (!row || n == (size_t)limit)
			break;
		sessions = rows_grow(arena, sessions, n, sizeof *sessions);
		struct login_session *session = &sessions[n++];

		db_column_copy(stmt, 0, session->id, sizeof session->id);
		session->user_agent = db_column_text(stmt, 1, arena);
		session->address = db_column_text(stmt, 2, arena);
		session->created_at_ms = db_column_int64(stmt, 3);
		session->last_used_at_ms = db_column_int64(stmt, 4);
		session->expires_at_ms = db_column_int64(stmt, 5);
	}
	*ret_sessions = sessions;
	*ret_n = n;
	*ret_more = row;
	return OK;
}

enum status
sessions_belongs(struct db *db, const char *session_id, const char *user_id, const char *kind, bool *ret_belongs)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT 1 FROM sessions WHERE id = $1 AND user_id = $2 AND kind = $3");

	db_bind_text(stmt, 1, session_id);
	db_bind_text(stmt, 2, user_id);
	db_bind_text(stmt, 3, kind);
	return db_one(stmt, ret_belongs);
}
