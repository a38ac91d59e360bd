/* Client frames: a table from `type` to its handler. */
#ifndef PUSH_EVENTS_H
#define PUSH_EVENTS_H

#include <jansson.h>
#include <stddef.h>

#include "base/arena.h"

struct session;

/* What a handler gets: the frame's keys without `id` and `type`, what its reply answers (NULL when the frame has no id), and
 * memory until it returns. */
struct event_frame {
	const json_t *body;
	json_t *id;
	struct arena *arena;
};

/* One whole text frame. Not JSON, or without a type: the session is closed with 4400; every other mistake is a reply. */
void events_handle(struct session *session, const char *text, size_t len);

/* Lets the session's sends and cursors answer through it. */
void events_init_sends(struct session *session);

#endif
