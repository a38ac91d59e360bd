/* What passes: records without a place in a stream (event.h), as typing and other people's cursors. They are neither counted nor
 * repaired, and never wait for what has a place; a socket that is slow gets the newest of each kind, conversation and person. */
#include <stdio.h>
#include <string.h>

#include "hub_state.h"

enum { KEY_SIZE = EVENT_KIND_SIZE + EVENT_CHANNEL_SIZE + ID_SIZE };

/* On a conversation's channel not to the subject's own sockets: what they are to know stands in the person's stream. */
static bool
is_for(const struct stream *stream, const struct attachment *attachment, const struct event *event)
{
	if (attachment->holding)
		return false;
	return stream->channel[0] != 'c' || strcmp(attachment->socket->user_id, event->subject_id) != 0;
}

void
passing_deliver(struct stream *stream, const struct event *event)
{
	struct frame *frame = frame_create(event->json, event->json_len);
	struct attachment *attachment, *next;
	char key[KEY_SIZE];

	snprintf(key, sizeof key, "%s %s %s", event->kind, event->channel, event->subject_id);
	DL_FOREACH_SAFE (stream->attachments, attachment, next) {
		if (is_for(stream, attachment, event))
			session_send_ephemeral(attachment->socket->session, frame, key);
	}
	frame_unref(frame);
}
