/* A server frame's bytes, made once and shared by all sockets that get it: reference counted, with the room in front that
 * the WebSocket library needs for its header. Loop thread only. */
#ifndef PUSH_FRAME_H
#define PUSH_FRAME_H

#include <jansson.h>
#include <stddef.h>

enum { FRAME_HEADROOM = 32 };

struct frame {
	size_t references;
	size_t len;
	unsigned char *bytes; /* after FRAME_HEADROOM bytes of room */
};

/* A frame with one reference: a copy of `len` bytes, or the compact text of a json (takes it). */
struct frame *frame_create(const void *bytes, size_t len);
struct frame *frame_from_json(json_t *json);

struct frame *frame_ref(struct frame *frame);
void frame_unref(struct frame *frame); /* NULL is fine */

#endif
