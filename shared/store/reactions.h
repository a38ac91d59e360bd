/* Table reactions: who put which emoji on which message. A message is known by its seq, which never changes. */
#ifndef STORE_REACTIONS_H
#define STORE_REACTIONS_H

#include "db/db.h"
#include "model/message.h"

/* Fills in the reactions of messages of one conversation, in any order: one query for each run of consecutive seqs. */
MUST_USE enum status reactions_attach(struct db *db, struct arena *arena, struct message *messages, size_t n_messages);

/* Gives one; it must not be there. */
MUST_USE enum status reactions_insert(struct db *db, const struct message *message, const char *emoji,
				      const char *user_id, int64_t now_ms);

/* Takes one back; with `emoji` and `user_id` NULL all that the message has. */
MUST_USE enum status reactions_delete(struct db *db, const struct message *message, const char *emoji,
				      const char *user_id);

/* Whether the person has given it. */
MUST_USE enum status reactions_has(struct db *db, const struct message *message, const char *emoji, const char *user_id,
				   bool *ret_has);

#endif
