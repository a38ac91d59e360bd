/* Whether both sides hold the same: for each conversation the sum of the hashes of its messages and reactions, and the counts. See
 * move.h.
 *
 * Rows up to a rev that were the same stay so: whatever changes gets a higher one. So what was verified before the fence need not
 * be read again behind it. */
#include <string.h>

#include "move.h"

enum { COLUMN_SEQ = 1, COLUMN_REV = 2 };

struct summing {
	struct move *move;
	struct hash sum;
	int64_t n_messages;
	int64_t seq, rev; /* of the last message */
};

static enum status
add(void *context, const struct move_row *row)
{
	struct summing *summing = context;
	struct hash hash = move_row_hash(row, &summing->move->hash_key, &summing->move->scratch);

	hash_add(&summing->sum, &hash);
	if (row->table != MOVE_MESSAGES)
		return OK;
	summing->n_messages++;
	summing->seq = row->values[COLUMN_SEQ].number;
	summing->rev = row->values[COLUMN_REV].number;
	return OK;
}

/* Of the messages above a rev, and of the reactions to them. */
static enum status
sum_up(struct db *db, const char *conversation_id, int64_t above_rev, struct summing *summing)
{
	const struct move_sink sink = {add, summing};
	struct move_cursor after = {conversation_id, above_rev, INT64_MAX}, last;
	int64_t n;

	do {
		TRY(move_messages_since(db, &after, MOVE_PAGE_ROWS, &sink, &n));
		last = (struct move_cursor){conversation_id, summing->rev, summing->seq};
		if (n > 0)
			TRY(move_reactions_since(db, &after, &last, &sink));
		after = last;
	} while (n == MOVE_PAGE_ROWS);
	return OK;
}

static enum status
differs(struct move *move, const char *conversation_id)
{
	return fault_set(
		&move->fault, ERR_INTERNAL, "differs", NULL,
		"conversation %s of the destination is not what was written to it: does somebody else write there? "
		"Empty it and run this again",
		conversation_id);
}

static enum status
verify(struct move *move, const struct move_row *row, struct move_entry *entry)
{
	const char *conversation_id = row->values[0].text;
	struct summing from = {.move = move}, to = {.move = move};

	TRY(sum_up(move->from, conversation_id, entry->verified, &from));
	TRY(sum_up(move->to, conversation_id, entry->verified, &to));
	if (from.n_messages != to.n_messages || !hash_equal(&from.sum, &to.sum))
		return differs(move, conversation_id);
	entry->verified = entry->head.rev;
	move->group_rows += from.n_messages;
	return OK;
}

static enum status
verify_heads(struct move *move, const struct move_row *row, struct arena *arena)
{
	struct hash from = move_row_hash(row, &move->hash_key, &move->scratch), to;
	struct move_row copied;
	bool found;

	TRY(move_one(move->to, row, arena, &copied, &found));
	if (!found)
		return differs(move, row->values[0].text);
	to = move_row_hash(&copied, &move->hash_key, &move->scratch);
	return hash_equal(&from, &to) ? OK : differs(move, row->values[0].text);
}

/* In one snapshot, whatever is written meanwhile: a conversation in which people talk without a pause would else be compared
 * behind the fence alone. */
enum status
move_verify_conversation(struct move *move, const char *conversation_id)
{
	CLEANUP(arena_finish) struct arena arena = {0};
	struct move_entry *entry;
	struct move_row row;
	bool found;

	TRY(move_catch_up(move, conversation_id, &arena, &row, &found));
	if (!found)
		return differs(move, conversation_id);
	TRY(move_flush(move));
	TRY(verify_heads(move, &row, &arena));
	entry = move_conversation_entry(move, conversation_id);
	if (entry->verified != entry->head.rev)
		TRY(verify(move, &row, entry));
	return move_group_close_if_full(move);
}

static enum status
verify_count(struct move *move, enum move_table table)
{
	int64_t from, to;

	TRY(move_count(move->from, table, &from));
	TRY(move_count(move->to, table, &to));
	if (from == to)
		return OK;
	return fault_set(&move->fault, ERR_INTERNAL, "differs", NULL,
			 "the destination has %lld rows of %s, the source %lld: empty it and run this again",
			 (long long)to, move_layouts[table].name, (long long)from);
}

enum status
move_verify_totals(struct move *move)
{
	struct move_totals from, to;

	TRY(move_group_open(move));
	TRY(move_flush(move));
	for (int table = 0; table < MOVE__MAX; table++)
		if (!move_layouts[table].by_change)
			TRY(verify_count(move, (enum move_table)table));
	TRY(move_totals(move->from, &from));
	TRY(move_totals(move->to, &to));
	if (memcmp(&from, &to, sizeof from) == 0)
		return OK;
	return fault_set(
		&move->fault, ERR_INTERNAL, "differs", NULL,
		"the conversations of the destination do not stand where the source's do: empty it and run this "
		"again");
}
