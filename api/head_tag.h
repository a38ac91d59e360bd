/* The tags of answers that show conversations or people: of what these are a function of, so that an answer that is held costs the
 * query that every request begins with and, for conversations, one that reads no rows of members and messages. */
#ifndef HEAD_TAG_H
#define HEAD_TAG_H

#include "base/status.h"
#include "store/conversations_state.h"

struct req;

/* Of conversations, in their order. `view`: what of them is shown. */
MUST_USE enum status head_tag_conversations(struct req *req, const char *view, const struct conversation_state *states,
					    size_t n_states, const char **ret_etag);

/* Of what is shown of a person: their names, and `more` that is known of the caller without reading. */
MUST_USE enum status head_tag_person(struct req *req, const char *user_id, const char *more, const char **ret_etag);

#endif
