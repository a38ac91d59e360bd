/* "Read by": a question to the members' read cursors, nothing that is stored for a message. */
#ifndef STORE_READERS_H
#define STORE_READERS_H

#include "db/db.h"
#include "model/readers.h"

struct readers_query {
	const char *conversation_id, *message_id;
	const char *user_id;        /* who asks */
	const char *after_username; /* "": the first page */
	int64_t limit;
};

/* Members who were in when it was said, other than its sender, whose cursor has come to it or who said something after it (among
 * the next READERS_LOOK_AHEAD messages). ERR_NOT_FOUND (conversation_not_found, message_not_found). */
enum { READERS_LOOK_AHEAD = 1000 };
MUST_USE enum status readers_of_message(struct db *db, struct arena *arena, const struct readers_query *query,
					struct readers *ret_readers, struct fault *ret_fault);

#endif
