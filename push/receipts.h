/* Handlers of typing.start, read.update and delivered.update, for the table in events.c. None of them has a reply unless its
 * frame has an id. */
#ifndef PUSH_RECEIPTS_H
#define PUSH_RECEIPTS_H

#include "events.h"

void receipts_on_typing(struct session *session, const struct event_frame *frame);
void receipts_on_read(struct session *session, const struct event_frame *frame);
void receipts_on_delivered(struct session *session, const struct event_frame *frame);

#endif
