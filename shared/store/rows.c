/* What stores share in reading: see rows.h. */
#include "store/rows.h"

#include <string.h>

enum status
rows_snapshot_begin(struct db *db, struct rows_snapshot *ret_snapshot)
{
	ret_snapshot->own = NULL;
	if (db_in_transaction(db))
		return OK;
	TRY(db_begin(db, DB_READ));
	ret_snapshot->own = db;
	return OK;
}

void
rows_snapshot_end(struct rows_snapshot *snapshot)
{
	if (snapshot->own)
		db_rollback(snapshot->own); /* nothing was written, and it cannot fail */
	snapshot->own = NULL;
}

void *
rows_grow(struct arena *arena, void *items, size_t n, size_t item_size)
{
	void *larger;

	if (n != 0 && (n < 8 || (n & (n - 1)) != 0))
		return items;
	larger = arena_alloc(arena, (n == 0 ? 8 : 2 * n) * item_size);
	if (n > 0)
		memcpy(larger, items, n * item_size);
	return larger;
}

void
rows_read_message(struct db_stmt *stmt, int column, struct arena *arena, struct message *ret_message)
{
	struct message message = {0};

	db_column_copy(stmt, column, message.id, sizeof message.id);
	db_column_copy(stmt, column + 1, message.conversation_id, sizeof message.conversation_id);
	message.seq = db_column_int64(stmt, column + 2);
	message.rev = db_column_int64(stmt, column + 3);
	db_column_copy(stmt, column + 4, message.sender_id, sizeof message.sender_id);
	db_column_copy(stmt, column + 5, message.recipient_id, sizeof message.recipient_id);
	message.content = db_column_text(stmt, column + 6, arena);
	db_column_copy(stmt, column + 7, message.digest, sizeof message.digest);
	message.timestamp_ms = db_column_int64(stmt, column + 8);
	db_column_copy(stmt, column + 9, message.reply_to_id, sizeof message.reply_to_id);
	message.edited_at_ms = db_column_int64(stmt, column + 10);
	message.deleted_at_ms = db_column_int64(stmt, column + 11);
	*ret_message = message;
}

_Static_assert(CONVERSATION_CLOSE_MAX == 250, "ROWS_MEMBER_COLUMNS knows up to how many members cursors are shown");

static const char *
role_literal(const char *role)
{
	return strcmp(role, "owner") == 0 ? "owner" : strcmp(role, "admin") == 0 ? "admin" : "member";
}

void
rows_read_member(struct db_stmt *stmt, struct arena *arena, struct member *ret_member)
{
	struct member member = {0};

	db_column_copy(stmt, 0, member.conversation_id, sizeof member.conversation_id);
	db_column_copy(stmt, 1, member.user_id, sizeof member.user_id);
	member.username = db_column_text(stmt, 2, arena);
	member.display_name = db_column_text(stmt, 3, arena);
	member.role = role_literal(db_column_text(stmt, 4, arena));
	member.rev = db_column_int64(stmt, 5);
	member.user_rev = db_column_int64(stmt, 6);
	member.joined_at_ms = db_column_int64(stmt, 7);
	member.left_at_ms = db_column_int64(stmt, 8);
	member.shows_cursors = !db_column_is_null(stmt, 9);
	member.read_seq = db_column_int64(stmt, 9);
	member.delivered_seq = db_column_int64(stmt, 10);
	*ret_member = member;
}

void
rows_read_user(struct db_stmt *stmt, struct arena *arena, struct user *ret_user)
{
	*ret_user = (struct user){0};
	db_column_copy(stmt, 0, ret_user->id, sizeof ret_user->id);
	ret_user->username = db_column_text(stmt, 1, arena);
	ret_user->username_key = db_column_text(stmt, 2, arena);
	ret_user->display_name = db_column_text(stmt, 3, arena);
	ret_user->role = strcmp(db_column_text(stmt, 4, arena), "admin") == 0 ? "admin" : "member";
	ret_user->last_rev = db_column_int64(stmt, 5);
	ret_user->created_at_ms = db_column_int64(stmt, 6);
	ret_user->disabled_at_ms = db_column_int64(stmt, 7);
	ret_user->deleted_at_ms = db_column_int64(stmt, 8);
	ret_user->must_change_password = db_column_bool(stmt, 9);
}
