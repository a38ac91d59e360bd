/* Sending a message, by whichever of the two paths: what send_message and send_direct_message have in common. */
#ifndef SEND_H
#define SEND_H

#include "base/status.h"
#include "model/message.h"

struct req;

/* Fills in the rest of `draft` (whose conversation is set when the path names it) from caller, body and Idempotency-Key, submits it and
 * answers when the pipeline has an answer. */
MUST_USE enum status send_draft(struct req *req, enum message_draft_form form, struct message_draft *draft);

#endif
