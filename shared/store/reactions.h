/* Table reactions: who put which emoji on which message. A message is known by its seq, which never changes. */
#ifndef STORE_REACTIONS_H
#define STORE_REACTIONS_H

#include "db/db.h"
#include "model/message.h"

/* Fills in the reactions of messages of one conversation, in any order: one query for each run of consecutive seqs. */
MUST_USE enum status reactions_attach(struct db *db, struct arena *arena, struct message *messages, size_t n_messages);

/* The reactions of a range, in the order in which they were given, and what counts them into the messages of that range, which are all
 * there and have none yet. */
struct given_reaction {
	int64_t seq;
	const char *emoji;
	char user_id[ID_SIZE];
};
struct given_reactions {
	struct given_reaction *items;
	size_t n;
};
MUST_USE enum status reactions_read(struct db *db, struct arena *arena, const char *conversation_id,
				    struct message_range range, struct given_reactions *ret_given);
void reactions_count_in(struct arena *arena, const struct given_reactions *given, struct message *messages);

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
