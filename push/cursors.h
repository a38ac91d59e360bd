/* Cursors on their way to the database: of one log-in in one conversation the first is written at once, and what comes within
 * CURSORS_EVERY_MS of it in one write afterwards. Somebody who scrolls costs a write a second. Loop thread only. */
#ifndef PUSH_CURSORS_H
#define PUSH_CURSORS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"
#include "loop.h"
#include "wheel.h"
#include "writer/writer.h"

enum { CURSORS_EVERY_MS = 1000 };

struct cursors;
struct cursor_wait;

/* Whom answers go to; embedded in the session. */
struct cursor_owner {
	void (*reply)(void *context,
		      json_t *reply); /* takes the json; NULL: nothing to say, but something was answered */
	void (*ended)(void *context); /* the log-in has, as the reply just said; may forget the owner */
	void *context;
	struct cursor_wait *waits;
	size_t n_waits; /* frames not answered yet */
};

/* The owner is told nothing more; its cursors are written all the same. */
void cursors_forget(struct cursor_owner *owner);

struct cursors *cursors_create(struct loop *loop, struct writer *writer, struct wheel *wheel);

/* Submits all that waits, for a process that ends: before the writer does. What comes afterwards is not written. */
void cursors_flush(struct cursors *cursors);

/* After the loop has run what the writer posted. NULL is fine. */
void cursors_destroy(struct cursors *cursors);

enum cursor_kind { CURSOR_READ, CURSOR_DELIVERED };

/* One frame: where a cursor is to be. */
struct cursor_move {
	enum cursor_kind kind;
	char conversation_id[ID_SIZE], user_id[ID_SIZE], session_id[ID_SIZE];
	int64_t seq; /* from 0 on */
};

/* `id` (borrowed) is what the reply answers, when this or a later cursor has been written; NULL: no reply, only `ended`. */
void cursors_move(struct cursors *cursors, const struct cursor_move *move, struct cursor_owner *owner, json_t *id);

#endif
