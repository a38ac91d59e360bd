/* Changing a message: what edit_message, delete_message, add_reaction and remove_reaction have in common. */
#ifndef CHANGE_H
#define CHANGE_H

#include "base/status.h"
#include "model/message.h"

struct req;

/* Makes `change` (its action and what that needs are set) of the message that the path names, for the caller, on the condition
 * of If-Match, and answers with the message as it is then. */
MUST_USE enum status change_message(struct req *req, struct message_change *change);

/* Answers 200 with the message and its ETag. Returns OK. */
MUST_USE enum status change_reply(struct req *req, const struct message *message);

/* What an ETag of the message is made for. */
const char *change_page(struct req *req, const char *message_id);

#endif
