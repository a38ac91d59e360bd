/* Questions of a move about conversations and messages: see move.h. */
#include "store/move.h"

#include "store/rows.h"

/* Hands over all rows of a statement; `ret_n` may be NULL. */
static enum status
read_rows(struct db_stmt *stmt, enum move_table table, const struct move_sink *sink, int64_t *ret_n)
{
	CLEANUP(arena_finish) struct arena arena = {0};
	struct move_row move_row;
	int64_t n = 0;
	bool row;

	for (;;) {
		TRY(db_step(stmt, &row));
		if (!row)
			break;
		arena_reset(&arena);
		move_row_read(stmt, table, &arena, &move_row);
		TRY(sink->take(sink->context, &move_row));
		n++;
	}
	if (ret_n)
		*ret_n = n;
	return OK;
}

static void
bind_key(struct db_stmt *stmt, const struct move_row *row)
{
	const struct move_layout *layout = &move_layouts[row->table];

	for (int i = 0; i < layout->n_keys; i++)
		if (layout->types[i] == 't')
			db_bind_text(stmt, i + 1, row->values[i].text);
		else
			db_bind_int64(stmt, i + 1, row->values[i].number);
}

enum status
move_page(struct db *db, const struct move_row *after, int64_t limit, const struct move_sink *sink, int64_t *ret_n)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, move_layouts[after->table].page);

	bind_key(stmt, after);
	db_bind_int64(stmt, move_layouts[after->table].n_keys + 1, limit);
	return read_rows(stmt, after->table, sink, ret_n);
}

enum status
move_one(struct db *db, const struct move_row *key, struct arena *arena, struct move_row *ret_row, bool *ret_found)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, move_layouts[key->table].one);

	bind_key(stmt, key);
	TRY(db_one(stmt, ret_found));
	if (*ret_found)
		move_row_read(stmt, key->table, arena, ret_row);
	return OK;
}

static enum status
read_number(struct db_stmt *stmt, int64_t *ret_number)
{
	bool row;

	TRY(db_one(stmt, &row));
	*ret_number = row ? db_column_int64(stmt, 0) : 0;
	return OK;
}

enum status
move_count(struct db *db, enum move_table table, int64_t *ret_n)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, move_layouts[table].count);

	return read_number(stmt, ret_n);
}

static enum status
read_ids(struct db_stmt *stmt, struct arena *arena, struct move_ids *ret_ids)
{
	struct move_ids found = {0};
	bool row;

	for (;;) {
		TRY(db_step(stmt, &row));
		if (!row)
			break;
		found.ids = rows_grow(arena, found.ids, found.n, sizeof *found.ids);
		found.ids[found.n++] = db_column_text(stmt, 0, arena);
	}
	*ret_ids = found;
	return OK;
}

enum status
move_conversations(struct db *db, const char *after, int64_t limit, struct arena *arena, struct move_ids *ret_ids)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT id FROM conversations WHERE id > $1 ORDER BY id LIMIT $2");

	db_bind_text(stmt, 1, after);
	db_bind_int64(stmt, 2, limit);
	return read_ids(stmt, arena, ret_ids);
}

enum status
move_changed(struct db *db, int64_t position, struct arena *arena, struct move_ids *ret_ids)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT id FROM conversations WHERE change_no >= $1 ORDER BY id");

	db_bind_int64(stmt, 1, position);
	return read_ids(stmt, arena, ret_ids);
}

#define MESSAGE_COLUMNS                                                                                                \
	"conversation_id, seq, rev, id, sender_id, recipient_id, content, content_digest, timestamp, reply_to_id,"     \
	" edited_at, deleted_at"

enum status
move_new_messages(struct db *db, const struct move_cursor *after, int64_t limit, const struct move_sink *sink,
		  int64_t *ret_n)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT " MESSAGE_COLUMNS " FROM messages WHERE conversation_id = $1 AND seq > $2"
			       " ORDER BY seq LIMIT $3");

	db_bind_text(stmt, 1, after->conversation_id);
	db_bind_int64(stmt, 2, after->seq);
	db_bind_int64(stmt, 3, limit);
	return read_rows(stmt, MOVE_MESSAGES, sink, ret_n);
}

enum status
move_changed_messages(struct db *db, const struct move_cursor *after, int64_t limit, const struct move_sink *sink,
		      int64_t *ret_n)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT " MESSAGE_COLUMNS " FROM messages"
			       " WHERE conversation_id = $1 AND rev > $2 AND seq <= $3 ORDER BY rev LIMIT $4");

	db_bind_text(stmt, 1, after->conversation_id);
	db_bind_int64(stmt, 2, after->rev);
	db_bind_int64(stmt, 3, after->seq);
	db_bind_int64(stmt, 4, limit);
	return read_rows(stmt, MOVE_MESSAGES, sink, ret_n);
}

enum status
move_messages_since(struct db *db, const struct move_cursor *after, int64_t limit, const struct move_sink *sink,
		    int64_t *ret_n)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT " MESSAGE_COLUMNS " FROM messages WHERE conversation_id = $1 AND rev >= $2"
			       " AND (rev, seq) > ($2, $3) ORDER BY rev, seq LIMIT $4");

	db_bind_text(stmt, 1, after->conversation_id);
	db_bind_int64(stmt, 2, after->rev);
	db_bind_int64(stmt, 3, after->seq);
	db_bind_int64(stmt, 4, limit);
	return read_rows(stmt, MOVE_MESSAGES, sink, ret_n);
}

enum status
move_reactions(struct db *db, const char *conversation_id, int64_t first_seq, int64_t last_seq,
	       const struct move_sink *sink)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT conversation_id, seq, emoji, user_id, created_at FROM reactions"
			       " WHERE conversation_id = $1 AND seq BETWEEN $2 AND $3");

	db_bind_text(stmt, 1, conversation_id);
	db_bind_int64(stmt, 2, first_seq);
	db_bind_int64(stmt, 3, last_seq);
	return read_rows(stmt, MOVE_REACTIONS, sink, NULL);
}

enum status
move_reactions_since(struct db *db, const struct move_cursor *after, const struct move_cursor *last,
		     const struct move_sink *sink)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT r.conversation_id, r.seq, r.emoji, r.user_id, r.created_at"
			       " FROM messages m JOIN reactions r ON r.conversation_id = m.conversation_id"
			       " AND r.seq = m.seq WHERE m.conversation_id = $1 AND m.rev >= $2 AND m.rev <= $4"
			       " AND (m.rev, m.seq) > ($2, $3) AND (m.rev, m.seq) <= ($4, $5)");

	db_bind_text(stmt, 1, after->conversation_id);
	db_bind_int64(stmt, 2, after->rev);
	db_bind_int64(stmt, 3, after->seq);
	db_bind_int64(stmt, 4, last->rev);
	db_bind_int64(stmt, 5, last->seq);
	return read_rows(stmt, MOVE_REACTIONS, sink, NULL);
}

enum status
move_remove_reactions(struct db *db, const char *conversation_id, int64_t seq)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "DELETE FROM reactions WHERE conversation_id = $1 AND seq = $2");

	db_bind_text(stmt, 1, conversation_id);
	db_bind_int64(stmt, 2, seq);
	return db_run(stmt);
}

enum status
move_totals(struct db *db, struct move_totals *ret_totals)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(
		db, "SELECT count(*), coalesce(sum(last_seq), 0), coalesce(sum(last_rev), 0) FROM conversations");
	bool row;

	TRY(db_one(stmt, &row));
	if (!row)
		return ERR_INTERNAL;
	ret_totals->conversations = db_column_int64(stmt, 0);
	ret_totals->seqs = db_column_int64(stmt, 1);
	ret_totals->revs = db_column_int64(stmt, 2);
	return OK;
}
