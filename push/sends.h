/* The messages of one socket that are on their way to the database: submitted without blocking, answered first in, first
 * out. */
#ifndef PUSH_SENDS_H
#define PUSH_SENDS_H

#include <jansson.h>
#include <stddef.h>

#include "loop.h"
#include "model/message.h"

struct pipeline;
struct send;

enum { SENDS_MAX = 64 }; /* in flight; with more the session stops reading */

/* Embedded in the session. */
struct sends {
	void (*reply)(void *context, json_t *reply); /* takes the json */
	void *context;
	struct send *waiting; /* oldest first */
	size_t n_waiting;
};

/* Forgets those that wait: they are stored all the same, and nobody is told. */
void sends_finish(struct sends *sends);

/* Submits a draft (copied); `id` (borrowed, may be NULL) is what the reply answers. A draft refused at once is answered in
 * its turn too. */
void sends_submit(struct sends *sends, struct loop *loop, struct pipeline *pipeline, const struct message_draft *draft,
		  json_t *id);

#endif
