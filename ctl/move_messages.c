/* A conversation with its messages and reactions. See move.h.
 *
 * The destination's row of it says what it has: messages up to its last_seq, with all changes up to its last_rev. In each snapshot
 * changes of those that are there are read by rev; when none is left, new ones are read by seq, and with the last of them the row
 * is as the source's. */
#include <string.h>

#include "move.h"

enum { COLUMN_SEQ = 1, COLUMN_REV = 2, COLUMN_LAST_SEQ = 7, COLUMN_LAST_REV = 8 };

struct reader {
	struct move *move;
	int64_t seq, rev; /* of the last row */
};

static enum status
put_new(void *context, const struct move_row *row)
{
	struct reader *reader = context;

	reader->seq = row->values[COLUMN_SEQ].number;
	reader->move->rows_read++;
	return move_put_new(reader->move, row);
}

/* A row that is there already; its reactions are written anew. */
static enum status
put_changed(void *context, const struct move_row *row)
{
	struct reader *reader = context;
	struct move *move = reader->move;
	const struct move_sink reactions = {put_new, &(struct reader){.move = move}};
	const char *conversation_id = row->values[0].text;
	int64_t seq = row->values[COLUMN_SEQ].number;

	reader->rev = row->values[COLUMN_REV].number;
	move->rows_read++;
	TRY(move_put_changed(move, row));
	TRY(move_remove_reactions(move->to, conversation_id, seq));
	return move_reactions(move->from, conversation_id, seq, seq, &reactions);
}

/* Of the entry's conversation, in the group's snapshot; *ret_all: nothing is left. */
static enum status
copy_new(struct move *move, const char *conversation_id, struct move_entry *entry, bool *ret_all)
{
	struct move_cursor after = {conversation_id, entry->head.rev, entry->head.seq};
	struct reader reader = {.move = move, .seq = after.seq};
	const struct move_sink messages = {put_new, &reader};
	const struct move_sink reactions = {put_new, &(struct reader){.move = move}};
	int64_t n;

	TRY(move_new_messages(move->from, &after, MOVE_PAGE_ROWS, &messages, &n));
	if (n > 0)
		TRY(move_reactions(move->from, conversation_id, after.seq + 1, reader.seq, &reactions));
	entry->head.seq = reader.seq;
	*ret_all = n < MOVE_PAGE_ROWS;
	return OK;
}

/* The last of a page is read again with the next one, so what of it waits to be loaded must be there before. `limit` grows when a whole
 * page has one rev, so that it cannot be left. */
static enum status
copy_changed(struct move *move, const char *conversation_id, struct move_entry *entry, int64_t *limit, bool *ret_all)
{
	const struct move_cursor after = {conversation_id, entry->head.rev, entry->head.seq};
	struct reader reader = {.move = move, .rev = after.rev};
	const struct move_sink messages = {put_changed, &reader};
	int64_t n;

	TRY(move_flush(move));
	TRY(move_changed_messages(move->from, &after, *limit, &messages, &n));
	*ret_all = n < *limit;
	if (*ret_all)
		return OK;
	if (reader.rev - 1 == after.rev)
		*limit *= 2;
	entry->head.rev = reader.rev - 1; /* there may be more of the last one */
	return OK;
}

struct move_entry *
move_conversation_entry(struct move *move, const char *conversation_id)
{
	struct move_row row = {.table = MOVE_CONVERSATIONS, .values[0].text = conversation_id};
	struct hash key = move_row_key(&row, &move->hash_key, &move->scratch);

	return move_map_find(&move->maps[MOVE_CONVERSATIONS], &key);
}

struct move_entry *
move_add_conversation(struct move *move, const struct move_row *row)
{
	struct hash key = move_row_key(row, &move->hash_key, &move->scratch);
	struct move_entry *entry = move_map_add(&move->maps[MOVE_CONVERSATIONS], &key, move->generation);

	entry->verified = -1;
	entry->head.rev = row->values[COLUMN_LAST_REV].number;
	return entry;
}

enum status
move_put_conversation(struct move *move, const struct move_row *row, const struct move_entry *entry, bool is_new)
{
	struct move_row as_copied = *row;

	as_copied.values[COLUMN_LAST_SEQ].number = entry->head.seq;
	as_copied.values[COLUMN_LAST_REV].number = entry->head.rev;
	return is_new ? move_put_new(move, &as_copied) : move_put_changed(move, &as_copied);
}

/* One group's share. A new row is written last where rows are loaded (which keeps the order of the tables), else first. */
static enum status
copy_some(struct move *move, const struct move_row *row, int64_t *limit, bool *ret_all)
{
	const char *conversation_id = row->values[0].text;
	struct move_entry *entry = move_conversation_entry(move, conversation_id);
	bool is_new = !entry, all_changed = true;

	if (is_new) {
		entry = move_add_conversation(move, row);
		move->rows_read++;
	}
	if (is_new && !db_can_load(move->to)) {
		TRY(move_put_conversation(move, row, entry, true));
		is_new = false;
	}
	if (entry->head.seq > 0)
		TRY(copy_changed(move, conversation_id, entry, limit, &all_changed));
	*ret_all = false;
	if (all_changed) {
		entry->head.rev = row->values[COLUMN_LAST_REV].number; /* what is new is read as it is now */
		TRY(copy_new(move, conversation_id, entry, ret_all));
	}
	if (*ret_all)
		entry->head.seq = row->values[COLUMN_LAST_SEQ].number;
	return move_put_conversation(move, row, entry, is_new);
}

static bool
is_copied(const struct move_entry *entry, const struct move_row *row)
{
	return entry && entry->head.seq == row->values[COLUMN_LAST_SEQ].number &&
	       entry->head.rev == row->values[COLUMN_LAST_REV].number;
}

enum status
move_catch_up(struct move *move, const char *conversation_id, struct arena *arena, struct move_row *ret_row,
	      bool *ret_found)
{
	const struct move_row key = {.table = MOVE_CONVERSATIONS, .values[0].text = conversation_id};
	int64_t limit = MOVE_PAGE_ROWS;
	bool all = false;

	for (;;) {
		TRY(move_group_open(move));
		TRY(move_one(move->from, &key, arena, ret_row, ret_found));
		if (!*ret_found || is_copied(move_conversation_entry(move, conversation_id), ret_row))
			break;
		TRY(copy_some(move, ret_row, &limit, &all));
		if (all)
			break;
		TRY(move_group_close_if_full(move));
	}
	move->group_conversations++;
	return OK;
}

enum status
move_conversation(struct move *move, const char *conversation_id)
{
	CLEANUP(arena_finish) struct arena arena = {0};
	struct move_row row;
	bool found;

	TRY(move_catch_up(move, conversation_id, &arena, &row, &found));
	return move_group_close_if_full(move);
}
