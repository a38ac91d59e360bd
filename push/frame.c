/* Reference-counted frame buffers: one allocation each, the payload behind the room for the library's header. */
#include "frame.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"

struct frame *
frame_create(const void *bytes, size_t len)
{
	struct frame *frame = malloc(sizeof *frame + FRAME_HEADROOM + len);

	if (frame == NULL)
		abort(); /* every frame is bounded by what the models and lanes let through */
	frame->references = 1;
	frame->len = len;
	frame->bytes = (unsigned char *)(frame + 1) + FRAME_HEADROOM;
	memset(frame + 1, 0, FRAME_HEADROOM);
	if (len > 0)
		memcpy(frame->bytes, bytes, len);
	return frame;
}

struct frame *
frame_from_json(json_t *json)
{
	size_t len;
	char *text = json_to_text(json, &len);
	struct frame *frame = frame_create(text, len);

	free(text);
	return frame;
}

struct frame *
frame_ref(struct frame *frame)
{
	frame->references++;
	return frame;
}

void
frame_unref(struct frame *frame)
{
	if (frame != NULL && --frame->references == 0)
		free(frame);
}
