/* Who has read a message: see readers.h. */
#include "store/readers.h"

#include "store/conversations.h"
#include "store/messages.h"
#include "store/rows.h"

/* What one says oneself counts as having read all before it, as in unread counts; how far one looks for it is bounded, or the
 * first message of a long history would cost a walk through all of it. */
#define WHO_READ_IT                                                                                                    \
	" WHERE m.conversation_id = $1 AND m.left_at IS NULL AND m.user_id <> $2 AND m.joined_at <= $3"                \
	" AND (m.read_seq >= $4 OR m.user_id IN (SELECT x.sender_id FROM messages x"                                   \
	" WHERE x.conversation_id = $1 AND x.seq > $4 AND x.seq <= $5))"

static void
bind(struct db_stmt *stmt, const struct message *message)
{
	db_bind_text(stmt, 1, message->conversation_id);
	db_bind_text(stmt, 2, message->sender_id);
	db_bind_int64(stmt, 3, message->timestamp_ms);
	db_bind_int64(stmt, 4, message->seq);
	db_bind_int64(stmt, 5, message->seq + READERS_LOOK_AHEAD);
}

static enum status
count(struct db *db, const struct message *message, int64_t *ret_count)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, "SELECT count(*) FROM members m" WHO_READ_IT);
	bool row;

	bind(stmt, message);
	TRY(db_one(stmt, &row));
	*ret_count = row ? db_column_int64(stmt, 0) : 0;
	return OK;
}

static enum status
list(struct db *db, struct arena *arena, const struct readers_query *query, const struct message *message,
     struct readers *readers)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT m.user_id, u.username, u.display_name"
			       " FROM members m JOIN users u ON u.id = m.user_id" WHO_READ_IT
			       " AND u.username > $6 ORDER BY u.username LIMIT $7");
	struct message_reader *reader;
	bool row;

	bind(stmt, message);
	db_bind_text(stmt, 6, query->after_username);
	db_bind_int64(stmt, 7, query->limit + 1);
	for (;;) {
		TRY(db_step(stmt, &row));
		readers->has_more = row && readers->n_items == (size_t)query->limit;
		if (!row || readers->has_more)
			return OK;
		readers->items = rows_grow(arena, readers->items, readers->n_items, sizeof *readers->items);
		reader = &readers->items[readers->n_items++];
		db_column_copy(stmt, 0, reader->user_id, sizeof reader->user_id);
		reader->username = db_column_text(stmt, 1, arena);
		reader->display_name = db_column_text(stmt, 2, arena);
	}
}

enum status
readers_of_message(struct db *db, struct arena *arena, const struct readers_query *query, struct readers *ret_readers,
		   struct fault *ret_fault)
{
	CLEANUP_SNAPSHOT struct rows_snapshot snapshot = {0};
	struct membership membership;
	struct message message;

	*ret_readers = (struct readers){0};
	TRY(rows_snapshot_begin(db, &snapshot));
	TRY(conversations_own_membership(db, query->conversation_id, query->user_id, &membership, ret_fault));

	enum status status = messages_get(db, arena, query->conversation_id, query->message_id, &message);
	if (status == ERR_NOT_FOUND)
		return fault_set(ret_fault, ERR_NOT_FOUND, "message_not_found", NULL, "There is no such message.");
	TRY(status);
	TRY(count(db, &message, &ret_readers->count));
	if (membership.member_count > CONVERSATION_CLOSE_MAX)
		return OK;
	return list(db, arena, query, &message, ret_readers);
}
