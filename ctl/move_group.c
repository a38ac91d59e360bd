/* Groups of rows: a snapshot of the source and a transaction of the destination, and how a row is written. See move.h. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "move.h"
#include "store/meta.h"

void
move_fault_point(const char *point)
{
#ifdef STONECHAT_FAULTS
	const char *wanted = getenv("STONECHAT_FAULT_MOVE");

	if (wanted && strcmp(wanted, point) == 0)
		raise(SIGKILL);
#else
	(void)point;
#endif
}

static enum status
check_source(struct move *move)
{
	char epoch[EVENT_EPOCH_SIZE];

	TRY(meta_epoch(move->from, epoch));
	if (strcmp(epoch, move->epoch) == 0)
		return OK;
	return fault_set(&move->fault, ERR_CONFLICT, "source_changed", NULL,
			 "the source has another history than when this began (it was restored): empty the destination "
			 "and run this again");
}

enum status
move_group_open(struct move *move)
{
	enum status status;

	if (move->in_group)
		return OK;
	if (!move->fenced) {
		TRY(db_begin(move->from, DB_READ));
		TRY(check_source(move));
	}
	TRY(db_begin(move->to, DB_WRITE));
	TRY(db_take_time(move->to)); /* while the source is read there may be nothing to write for long */
	status = move_hold(move->to, move->run);
	if (status == ERR_CONFLICT)
		return fault_set(&move->fault, status, "taken_over", NULL,
				 "another run of this command fills the destination now: let that one end");
	TRY(status);
	move->in_group = true;
	move->group_rows = move->group_conversations = 0;
	return OK;
}

/* In the order of the tables: what refers comes after what it refers to. */
enum status
move_flush(struct move *move)
{
	for (int table = 0; table < MOVE__MAX; table++) {
		struct buf *rows = &move->loads[table];

		if (rows->len == 0)
			continue;
		TRY(db_load(move->to, move_layouts[table].load, rows->bytes, rows->len));
		buf_clear(rows);
	}
	return OK;
}

static void
tell(struct move *move)
{
	CLEANUP(arena_finish) struct arena arena = {0};
	int64_t ms = clock_monotonic_ms() - move->started_ms;
	int64_t rate = ms > 0 ? move->rows_read * 1000 / ms : 0;
	int64_t left;

	if (move->rows_expected < move->rows_read)
		move->rows_expected = move->rows_read; /* more have been written since */
	left = move->rows_expected - move->rows_read;

	progress_tell(&move->progress,
		      arena_printf(&arena, "%s: %lld of %lld rows, %lld rows/s, %lld s left", move->doing,
				   (long long)move->rows_read, (long long)move->rows_expected, (long long)rate,
				   (long long)(rate > 0 ? left / rate : 0)),
		      move->rows_read, move->rows_expected);
}

enum status
move_group_close(struct move *move)
{
	if (!move->in_group)
		return OK;
	TRY(move_flush(move));
	move->in_group = false;
	TRY(db_commit(move->to, NULL));
	if (!move->fenced)
		TRY(db_commit(move->from, NULL));
	move->n_groups++;
	if (move->n_groups == 3)
		move_fault_point("third_group");
	tell(move);
	return OK;
}

enum status
move_group_close_if_full(struct move *move)
{
	if (move->group_rows < MOVE_GROUP_ROWS && move->group_conversations < MOVE_GROUP_CONVERSATIONS)
		return OK;
	return move_group_close(move);
}

/* An account made since its table was read. */
static enum status
need_user(struct move *move, const char *user_id)
{
	struct move_row row = {.table = MOVE_USERS, .values[0].text = user_id};
	struct hash key = move_row_key(&row, &move->hash_key, &move->scratch);
	CLEANUP(arena_finish) struct arena arena = {0};
	bool found;

	if (move_map_find(&move->maps[MOVE_USERS], &key))
		return OK;
	TRY(move_one(move->from, &row, &arena, &row, &found));
	if (!found)
		return fault_set(&move->fault, ERR_INTERNAL, "source_broken", NULL,
				 "the source refers to a person who is not there: %s", user_id);
	TRY(move_put_new(move, &row));
	move_map_add(&move->maps[MOVE_USERS], &key, move->generation)->row =
		move_row_hash(&row, &move->hash_key, &move->scratch);
	return OK;
}

static enum status
need_users(struct move *move, const struct move_row *row)
{
	for (const char *column = move_layouts[row->table].users; *column; column++) {
		const struct move_value *value = &row->values[*column - 'a'];

		if (!value->is_null)
			TRY(need_user(move, value->text));
	}
	return OK;
}

static void
count_row(struct move *move)
{
	move->group_rows++;
	move->rows_written++;
}

enum status
move_put_new(struct move *move, const struct move_row *row)
{
	TRY(need_users(move, row));
	count_row(move);
	if (!db_can_load(move->to))
		return move_row_put(move->to, row);
	move_row_encode(row, &move->loads[row->table]);
	return OK;
}

enum status
move_put_changed(struct move *move, const struct move_row *row)
{
	TRY(need_users(move, row));
	if (move->loads[MOVE_USERS].len > 0 || move->loads[MOVE_CONVERSATIONS].len > 0)
		TRY(move_flush(move));
	count_row(move);
	return move_row_put(move->to, row);
}

enum status
move_need_conversation(struct move *move, const char *conversation_id)
{
	struct move_row row = {.table = MOVE_CONVERSATIONS, .values[0].text = conversation_id};
	CLEANUP(arena_finish) struct arena arena = {0};
	bool found;

	if (move_conversation_entry(move, conversation_id))
		return OK;
	TRY(move_one(move->from, &row, &arena, &row, &found));
	if (!found)
		return fault_set(&move->fault, ERR_INTERNAL, "source_broken", NULL,
				 "the source refers to a conversation that is not there: %s", conversation_id);
	return move_put_conversation(move, &row, move_add_conversation(move, &row), true);
}
