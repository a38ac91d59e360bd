/* Table connections: the durable shadow of presence, which answers when somebody was last there. */
#ifndef STORE_CONNECTIONS_H
#define STORE_CONNECTIONS_H

#include "db/db.h"
#include "model/presence.h"

/* Writes what is newer than the row by its last_seen, of somebody whom this database knows (it may have been restored since
 * they came). An unknown status must not come. */
MUST_USE enum status connections_save(struct db *db, const struct presence *presence);

/* When each of the people was last seen: fills last_seen_ms (0: never) and sets *ret_exists[i], false for an id that is
 * nobody's, or not any more. */
MUST_USE enum status connections_last_seen(struct db *db, struct presence *people, size_t n_people, bool *ret_exists);

/* Who is in a conversation: ids, one after the other. */
MUST_USE enum status connections_member_ids(struct db *db, struct arena *arena, const char *conversation_id,
					    char (**ret_ids)[ID_SIZE], size_t *ret_n);

#endif
