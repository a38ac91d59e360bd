/* What `stonechat migrate-db` asks and does besides whole tables (move_tables.h): conversations that changed, their messages by seq
 * and by rev, and what the two databases say of themselves. */
#ifndef STORE_MOVE_H
#define STORE_MOVE_H

#include "base/id.h"
#include "model/event.h"
#include "store/move_tables.h"

/* Takes rows one by one; they live until it returns. */
struct move_sink {
	enum status (*take)(void *context, const struct move_row *row);
	void *context;
};

/* At most `limit` rows of a table behind the key of `after`, by key. */
MUST_USE enum status move_page(struct db *db, const struct move_row *after, int64_t limit, const struct move_sink *sink,
			       int64_t *ret_n);

/* The row with the key of `key`; *ret_found false: there is none. */
MUST_USE enum status move_one(struct db *db, const struct move_row *key, struct arena *arena, struct move_row *ret_row,
			      bool *ret_found);
MUST_USE enum status move_count(struct db *db, enum move_table table, int64_t *ret_n);

struct move_ids {
	const char **ids;
	size_t n;
};

/* Conversations behind an id, by id; and all whose rows changed at or after a position (db_change_position). */
MUST_USE enum status move_conversations(struct db *db, const char *after, int64_t limit, struct arena *arena,
					struct move_ids *ret_ids);
MUST_USE enum status move_changed(struct db *db, int64_t position, struct arena *arena, struct move_ids *ret_ids);

/* Where a reader of messages by (rev, seq) stands. */
struct move_cursor {
	const char *conversation_id;
	int64_t rev, seq;
};

/* Of messages, by seq: those with a higher one. */
MUST_USE enum status move_new_messages(struct db *db, const struct move_cursor *after, int64_t limit,
				       const struct move_sink *sink, int64_t *ret_n);

/* Of those with a seq of at most the cursor's, by rev: those with a higher one. */
MUST_USE enum status move_changed_messages(struct db *db, const struct move_cursor *after, int64_t limit,
					   const struct move_sink *sink, int64_t *ret_n);

/* Of all, by (rev, seq): those behind it. */
MUST_USE enum status move_messages_since(struct db *db, const struct move_cursor *after, int64_t limit,
					 const struct move_sink *sink, int64_t *ret_n);

/* Reactions to the messages first ... last, and to those behind `after` up to `last` by (rev, seq). */
MUST_USE enum status move_reactions(struct db *db, const char *conversation_id, int64_t first_seq, int64_t last_seq,
				    const struct move_sink *sink);
MUST_USE enum status move_reactions_since(struct db *db, const struct move_cursor *after,
					  const struct move_cursor *last, const struct move_sink *sink);
MUST_USE enum status move_remove_reactions(struct db *db, const char *conversation_id, int64_t seq);

/* Of all conversations together: how many, and where they stand. */
struct move_totals {
	int64_t conversations, seqs, revs;
};
MUST_USE enum status move_totals(struct db *db, struct move_totals *ret_totals);

/* Table meta. */

struct move_place {
	char state[48]; /* serving, loading, moved; "": not ours */
	char epoch[EVENT_EPOCH_SIZE];
	char run[ID_SIZE]; /* of the run that fills it, or did last; "": nobody does */
	bool has_people;   /* or anything else of theirs */
};
MUST_USE enum status move_place(struct db *db, struct move_place *ret_place);

/* Makes the destination one that this run fills: its epoch is the source's. */
MUST_USE enum status move_claim(struct db *to, const char *run, const char *epoch);

/* Whether it still is, asked first in each transaction, until whose end nobody else can claim it. ERR_CONFLICT: another run has
 * taken it over. */
MUST_USE enum status move_hold(struct db *to, const char *run);

/* Copies what is set for all: whatever of meta is not the database's own. */
MUST_USE enum status move_settings(struct db *from, struct db *to);

/* Lets PostgreSQL count what has been copied: until it does so by itself it would plan as if all were empty. Elsewhere nothing. */
MUST_USE enum status move_analyze(struct db *to);

/* The last transaction of each: the source stops serving and says where its data went, the destination begins. */
MUST_USE enum status move_leave(struct db *from, const char *to);
MUST_USE enum status move_open(struct db *to);

#endif
