/* Table messages. */
#ifndef STORE_MESSAGES_H
#define STORE_MESSAGES_H

#include "db/db.h"
#include "model/changes.h"
#include "model/message.h"

enum message_anchor { MESSAGES_NEWEST, MESSAGES_BEFORE, MESSAGES_AFTER, MESSAGES_AROUND };

/* Which seqs a page covers: seq is dense, so a page is a range and needs no look beyond its ends. */
struct message_range messages_range(enum message_anchor anchor, int64_t seq, int64_t limit, int64_t last_seq);

/* One page for a member; one snapshot. ERR_NOT_FOUND (conversation_not_found) when not a member. */
MUST_USE enum status messages_page(struct db *db, struct arena *arena, const char *conversation_id, const char *user_id,
				   enum message_anchor anchor, int64_t seq, int64_t limit,
				   struct message_page *ret_page, struct fault *ret_fault);

/* The same page as it was at a head that was read before, without a transaction (each of its statements is a way to the server and
 * back): *ret_moved when some row of it is of a later revision, the person has left, or the database has begun another epoch; then
 * messages_page tells what it is now. */
struct message_page_question {
	const char *user_id;
	const char *epoch; /* the head's */
	const struct head *head;
	struct message_range range;
};
MUST_USE enum status messages_page_at(struct db *db, struct arena *arena, const struct message_page_question *question,
				      struct message_page *ret_page, bool *ret_moved);

/* By id, whoever asks: the writer's look-up for replays. ERR_NOT_FOUND. */
MUST_USE enum status messages_get(struct db *db, struct arena *arena, const char *conversation_id,
				  const char *message_id, struct message *ret_message);

/* Writes what can change of a row: content, rev, edited_at_ms, deleted_at_ms. */
MUST_USE enum status messages_update(struct db *db, const struct message *message);

/* Inserts n rows as set-based steps, without waiting (db_ask); seq and rev are filled in. No ON CONFLICT: a conflict makes the
 * commit fail with ERR_CONFLICT. */
void messages_insert(struct db *db, const struct message *const *messages, size_t n_messages);

#endif
