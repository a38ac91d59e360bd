/* What is a person's own: see exports.h. */
#include "store/exports.h"

#include <string.h>

#include "store/rows.h"

/* Texts, then times, in the order of the columns behind the key. */
static const char *const session_names[] = {"id", "type",       "name",         "user_agent", "address",    "prefix",
					    NULL, "created_at", "last_used_at", "revoked_at", "expires_at", NULL};
static const char *const membership_names[] = {"conversation_id", "type",    "title",       "role", NULL,
					       "joined_at",       "left_at", "muted_until", NULL};
static const char *const membership_numbers[EXPORT_NUMBERS_MAX] = {"read_seq", "delivered_seq"};
static const char *const block_names[] = {"user_id", NULL, "created_at", "removed_at", NULL};
static const char *const invite_names[] = {"id", "note", NULL, "created_at", "used_at", NULL};
static const char *const act_names[] = {"id", "action", "actor", "target", "address", "detail", NULL, "at", NULL};
static const char *const reaction_names[] = {"conversation_id", "emoji", NULL, "created_at", NULL};

/* Reads rows of `kind` whose first column is the key and the first text. */
static enum status
read_rows(struct db_stmt *stmt, struct arena *arena, const struct export_row *kind, struct export_row **ret_rows,
	  size_t *ret_n)
{
	bool row;

	*ret_rows = NULL;
	for (*ret_n = 0;; ++*ret_n) {
		TRY(db_step(stmt, &row));
		if (!row)
			return OK;
		*ret_rows = rows_grow(arena, *ret_rows, *ret_n, sizeof **ret_rows);
		struct export_row *item = &(*ret_rows)[*ret_n];
		int column = 0;
		size_t i = 0;

		*item = *kind;
		db_column_copy(stmt, 0, item->key, sizeof item->key);
		for (; kind->names[i]; i++)
			item->texts[i] = db_column_text(stmt, column++, arena);
		for (size_t k = 0; kind->names[i + 1 + k]; k++)
			item->times_ms[k] = db_column_int64(stmt, column++);
		for (size_t k = 0; kind->number_names && k < EXPORT_NUMBERS_MAX; k++)
			item->numbers[k] = db_column_int64(stmt, column++);
		if (kind->seq)
			item->seq = db_column_int64(stmt, column);
	}
}

enum status
exports_sessions(struct db *db, struct arena *arena, const char *user_id, const char *after_id, int64_t limit,
		 struct export_row **ret_rows, size_t *ret_n)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(
		db,
		"SELECT id, kind, name, user_agent, address, prefix, created_at, last_used_at, revoked_at, expires_at"
		" FROM sessions"
		" WHERE user_id = $1 AND id > $2 ORDER BY id LIMIT $3");

	db_bind_text(stmt, 1, user_id);
	db_bind_text(stmt, 2, after_id);
	db_bind_int64(stmt, 3, limit);
	return read_rows(stmt, arena, &(struct export_row){.kind = "session", .names = session_names}, ret_rows, ret_n);
}

enum status
exports_memberships(struct db *db, struct arena *arena, const char *user_id, const char *after_id, int64_t limit,
		    struct export_row **ret_rows, size_t *ret_n)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT m.conversation_id, c.kind, CASE WHEN m.left_at IS NULL THEN c.title END, m.role,"
			       " m.joined_at, m.left_at, m.muted_until, m.read_seq, m.delivered_seq FROM members m"
			       " JOIN conversations c ON c.id = m.conversation_id"
			       " WHERE m.user_id = $1 AND m.conversation_id > $2 ORDER BY m.conversation_id LIMIT $3");

	db_bind_text(stmt, 1, user_id);
	db_bind_text(stmt, 2, after_id);
	db_bind_int64(stmt, 3, limit);
	const struct export_row kind = {.kind = "membership",
					.names = membership_names,
					.number_names = membership_numbers};
	return read_rows(stmt, arena, &kind, ret_rows, ret_n);
}

enum status
exports_blocks(struct db *db, struct arena *arena, const char *user_id, const char *after_id, int64_t limit,
	       struct export_row **ret_rows, size_t *ret_n)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT blocked_user_id, created_at, removed_at FROM blocks"
			       " WHERE user_id = $1 AND blocked_user_id > $2 ORDER BY blocked_user_id LIMIT $3");

	db_bind_text(stmt, 1, user_id);
	db_bind_text(stmt, 2, after_id);
	db_bind_int64(stmt, 3, limit);
	return read_rows(stmt, arena, &(struct export_row){.kind = "block", .names = block_names}, ret_rows, ret_n);
}

enum status
exports_invites(struct db *db, struct arena *arena, const char *user_id, const char *after_id, int64_t limit,
		struct export_row **ret_rows, size_t *ret_n)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT id, note, created_at, used_at FROM invites WHERE used_by = $1 AND id > $2"
			       " ORDER BY id LIMIT $3");

	db_bind_text(stmt, 1, user_id);
	db_bind_text(stmt, 2, after_id);
	db_bind_int64(stmt, 3, limit);
	return read_rows(stmt, arena, &(struct export_row){.kind = "invite", .names = invite_names}, ret_rows, ret_n);
}

/* Each index is read from its place on; where somebody else acts from is theirs, and so is who they are. A hand-over names the
 * former owner and the new one in its detail alone. */
enum status
exports_acts(struct db *db, struct arena *arena, const char *user_id, const char *after_id, int64_t limit,
	     struct export_row **ret_rows, size_t *ret_n)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(
		db,
		"SELECT id, action, CASE WHEN actor = $1 THEN actor END, target,"
		" CASE WHEN actor = $1 THEN address END, detail, at FROM audit WHERE id IN"
		" (SELECT id FROM (SELECT id FROM audit WHERE target = $1 AND id > $2 ORDER BY id LIMIT $3) AS a"
		" UNION SELECT id FROM"
		" (SELECT id FROM audit WHERE actor = $1 AND id > $2 ORDER BY id LIMIT $3) AS b"
		" UNION SELECT a.id FROM members m JOIN audit a ON a.target = m.conversation_id WHERE m.user_id = $1"
		" AND a.id > $2 AND a.action = 'conversation.handed_over' AND a.detail LIKE '%' || $1 || '%')"
		" ORDER BY id LIMIT $3");

	db_bind_text(stmt, 1, user_id);
	db_bind_text(stmt, 2, after_id);
	db_bind_int64(stmt, 3, limit);
	return read_rows(stmt, arena, &(struct export_row){.kind = "act", .names = act_names}, ret_rows, ret_n);
}

enum status
exports_next_conversation(struct db *db, const char *user_id, const char *after_id, bool *ret_found,
			  char ret_id[ID_SIZE])
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT conversation_id FROM members WHERE user_id = $1 AND conversation_id > $2"
			       " ORDER BY conversation_id LIMIT 1");

	db_bind_text(stmt, 1, user_id);
	db_bind_text(stmt, 2, after_id);
	TRY(db_one(stmt, ret_found));
	if (*ret_found)
		db_column_copy(stmt, 0, ret_id, ID_SIZE);
	return OK;
}

enum status
exports_messages(struct db *db, struct arena *arena, const char *user_id, const char *conversation_id,
		 int64_t after_seq, int64_t limit, struct message **ret_messages, size_t *ret_n)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT " ROWS_MESSAGE_COLUMNS("x") " FROM messages x WHERE x.conversation_id = $1"
								   " AND x.seq > $2 AND x.sender_id = $3"
								   " ORDER BY x.seq LIMIT $4");
	bool row;

	db_bind_text(stmt, 1, conversation_id);
	db_bind_int64(stmt, 2, after_seq);
	db_bind_text(stmt, 3, user_id);
	db_bind_int64(stmt, 4, limit);
	*ret_messages = NULL;
	for (*ret_n = 0;; ++*ret_n) {
		TRY(db_step(stmt, &row));
		if (!row)
			return OK;
		*ret_messages = rows_grow(arena, *ret_messages, *ret_n, sizeof **ret_messages);
		rows_read_message(stmt, 0, arena, &(*ret_messages)[*ret_n]);
	}
}

enum status
exports_reactions(struct db *db, struct arena *arena, const char *user_id, const char *conversation_id,
		  int64_t after_seq, int64_t limit, struct export_row **ret_rows, size_t *ret_n)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT conversation_id, emoji, created_at, seq FROM reactions"
			       " WHERE conversation_id = $1 AND user_id = $3 AND seq IN"
			       " (SELECT DISTINCT seq FROM reactions WHERE conversation_id = $1 AND seq > $2"
			       " AND user_id = $3 ORDER BY seq LIMIT $4) ORDER BY seq, emoji");

	db_bind_text(stmt, 1, conversation_id);
	db_bind_int64(stmt, 2, after_seq);
	db_bind_text(stmt, 3, user_id);
	db_bind_int64(stmt, 4, limit);
	return read_rows(stmt, arena, &(struct export_row){.kind = "reaction", .names = reaction_names, .seq = 1},
			 ret_rows, ret_n);
}
