/* Sending a message, by whichever of the two paths: what send_message and send_direct_message have in common. */
#ifndef SEND_H
#define SEND_H

#include "base/status.h"
#include "model/message.h"

struct req;

/* Fills in the rest of `draft` (the conversation is set unless `direct`) from caller, body and Idempotency-Key, submits it and
 * answers when the pipeline has an answer. */
MUST_USE enum status send_draft(struct req *req, bool direct, struct message_draft *draft);

#endif
