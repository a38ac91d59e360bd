/* What conversations show besides their rows, for a whole list at once: each statement is a way to the server and back. */
#ifndef STORE_CONVERSATIONS_SHOWN_H
#define STORE_CONVERSATIONS_SHOWN_H

#include "db/db.h"
#include "model/conversation.h"

/* Fills in the members that are shown (the person among them; NULL: as nobody in particular) and the reactions of last messages. In
 * the caller's transaction: it is the one in which the rows were read. */
MUST_USE enum status conversations_read_shown(struct db *db, struct arena *arena, const char *user_id,
					      struct conversation *conversations, size_t n);

#endif
