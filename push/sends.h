/* What one socket has on its way to the database, messages and changes of them: submitted without blocking, answered
 * first in, first out. */
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
	void (*ended)(void *context);                /* the log-in has, as the reply just said; may finish the sends */
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

/* The same for a change of a message. The frame's texts are copied. */
void sends_change(struct sends *sends, struct loop *loop, struct pipeline *pipeline,
		  const struct message_change *change, json_t *id);

/* Answers a frame that was refused before it became a draft or a change, in its turn. */
void sends_refuse(struct sends *sends, const struct fault *fault, json_t *id);

#endif
