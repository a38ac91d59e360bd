/* Moving a database while servers write to it: what the parts of `stonechat migrate-db` share.
 *
 * Rows are copied in groups: one snapshot of the source, one transaction of the destination, a few thousand rows. Conversations with
 * their messages and reactions are followed by change numbers and revisions (move_messages.c); of all other tables all rows are read
 * again and those written that differ (move_compare.c). What stands in the destination is the state: a run that was broken off is
 * taken up by the next one. move_verify.c compares both sides; move_ends.c begins, closes the source and opens the destination. */
#ifndef MOVE_H
#define MOVE_H

#include "base/arena.h"
#include "base/buf.h"
#include "move_map.h"
#include "progress.h"
#include "store/move.h"

enum {
	MOVE_PAGE_ROWS = 2000,
	MOVE_GROUP_ROWS = 4000,
	MOVE_GROUP_CONVERSATIONS = 500,
};

struct move {
	const char *from_url, *to_url;
	const char *to_shown; /* without a password */
	struct db *from, *to;
	char epoch[EVENT_EPOCH_SIZE]; /* of the source, effective */
	char run[ID_SIZE];

	struct hash_key hash_key;
	struct buf scratch;
	struct move_map maps[MOVE__MAX]; /* not of messages and reactions */
	uint32_t generation;             /* of the present pass */
	int64_t position;                /* of the source: changes before it are copied */

	/* The group. */
	bool in_group;
	bool fenced; /* the source's transaction is the last one, which stays open */
	struct buf loads[MOVE__MAX];
	int64_t group_rows, group_conversations;
	unsigned n_groups;

	/* Counted. */
	int64_t rows_expected, rows_read, rows_written;
	int64_t started_ms;
	struct progress progress;
	const char *doing;
	struct buf holders; /* who keeps the command waiting, a line each */
	struct fault fault; /* why it failed, where that is known better than the databases say it */
};

/* move_group.c */

/* Opens a group unless one is open. ERR_CONFLICT when the source or the destination is no longer what it was. */
MUST_USE enum status move_group_open(struct move *move);
MUST_USE enum status move_group_close(struct move *move);
MUST_USE enum status move_group_close_if_full(struct move *move);

/* Sends what is gathered, so that the destination can be read inside the group. */
MUST_USE enum status move_flush(struct move *move);

/* Writes a row that the destination does not have, or one that it has otherwise. People it refers to are written before. */
MUST_USE enum status move_put_new(struct move *move, const struct move_row *row);
MUST_USE enum status move_put_changed(struct move *move, const struct move_row *row);

/* The conversation is in the destination, if only as a row without messages. */
MUST_USE enum status move_need_conversation(struct move *move, const char *conversation_id);

void move_fault_point(const char *point); /* where tests end the process */

/* move_messages.c: brings a conversation, its messages and reactions to where the source's are, in as many groups as that takes. */
MUST_USE enum status move_conversation(struct move *move, const char *conversation_id);

/* The same, and the group in whose snapshot it was completed stays open; *ret_row is the source's row in it. */
MUST_USE enum status move_catch_up(struct move *move, const char *conversation_id, struct arena *arena,
				   struct move_row *ret_row, bool *ret_found);
struct move_entry *move_conversation_entry(struct move *move, const char *conversation_id);

/* Notes that nothing of it is there yet: changes of messages are followed from where it stands now. */
struct move_entry *move_add_conversation(struct move *move, const struct move_row *row);

/* Writes its row, with the head that the entry has. */
MUST_USE enum status move_put_conversation(struct move *move, const struct move_row *row,
					   const struct move_entry *entry, bool is_new);

/* move_compare.c: brings a table to what the source's is; *ret_n rows were written or removed. */
MUST_USE enum status move_table(struct move *move, enum move_table table, int64_t *ret_n);

/* Reads all of a table of the destination: for a map that is empty, or to compare it with the map (ERR_INTERNAL: it differs). */
MUST_USE enum status move_load_map(struct move *move, enum move_table table);
MUST_USE enum status move_verify_table(struct move *move, enum move_table table);

/* move_verify.c: ERR_INTERNAL when the two sides differ. A conversation that has changed since it was copied is brought up to date
 * first. */
MUST_USE enum status move_verify_conversation(struct move *move, const char *conversation_id);
MUST_USE enum status move_verify_totals(struct move *move);

/* move_ends.c */
struct move_report {
	bool already_moved;
	int64_t rows, messages;
	int64_t fence_us, copied_behind_fence;
	unsigned n_rounds;
};

/* Opens both and says whether it can be done, without changing anything. *ret_resumes: the destination is one that an earlier run
 * has begun to fill; *ret_moved: all is done already. */
MUST_USE enum status move_prepare(struct move *move, bool *ret_resumes, bool *ret_moved);
MUST_USE enum status move_run(struct move *move, struct move_report *ret_report);
MUST_USE enum status move_reopen(struct move *move);
void move_finish(struct move *move);

#endif
