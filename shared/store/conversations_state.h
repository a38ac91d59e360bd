/* What an answer that shows conversations to a person is a function of, besides the epoch and the names that people have (struct
 * standing): all by one query, which makes none of the rows. */
#ifndef STORE_CONVERSATIONS_STATE_H
#define STORE_CONVERSATIONS_STATE_H

#include "db/db.h"
#include "store/conversations.h"

struct conversation_state {
	char id[ID_SIZE];
	int64_t last_rev;
	int64_t user_rev; /* of the person's membership */
	int64_t cursors; /* those of the members that are shown, added up: at one revision of the conversation each of them only
			   * grows, so the sum is the same only when all are */
};

/* Of the page that conversations_list answers to the same arguments. */
MUST_USE enum status conversations_states(struct db *db, struct arena *arena, const struct conversations_wish *wish,
					  struct conversation_state **ret_states, size_t *ret_n, bool *ret_more);

/* Of one. ERR_NOT_FOUND (conversation_not_found) when not a member. */
MUST_USE enum status conversations_state(struct db *db, const char *conversation_id, const char *user_id,
					 struct conversation_state *ret_state, struct fault *ret_fault);

/* The same of a conversation that was read with its members. */
struct conversation_state conversations_state_of(const struct conversation *conversation);

#endif
