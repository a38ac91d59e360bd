/* What waits for a socket that does not read as fast as we write: three lanes with a bound each, so that a slow consumer
 * costs constant memory.
 *
 * Control (replies) is never dropped: over LANE_CONTROL_MAX the session stops reading from the socket. Durable is bounded by
 * LANE_DURABLE_MAX bytes of payload; on overflow a stream's payloads collapse into one gap marker, which is never dropped.
 * Ephemeral is what only its newest state matters of: one frame per key, the oldest dropped over LANE_EPHEMERAL_MAX keys. */
#ifndef PUSH_LANE_H
#define PUSH_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"

enum {
	LANE_CONTROL_MAX = 64 * 1024,
	LANE_DURABLE_MAX = 256 * 1024,
	LANE_EPHEMERAL_MAX = 64, /* keys */
	LANE_SPREAD_MS = 500,    /* a gap marker has a random pull_after_ms below it: one burst overflows many lanes */
	LANE_JOINED_MAX = 16 * 1024, /* bytes of a frame that joins several objects */
};

struct lane_item;

struct lane {
	struct lane_item *items; /* oldest first */
	size_t n_items;
	size_t bytes; /* of payload */
};

/* Begins as zero bytes. */
struct lanes {
	struct lane control, durable, ephemeral;
	size_t n_markers; /* in durable */
};

void lanes_finish(struct lanes *lanes);

bool lanes_are_empty(const struct lanes *lanes);

/* Each takes a reference of its own to the frame. */
void lanes_add_control(struct lanes *lanes, struct frame *frame);

/* `channel` is the stream that the frame belongs to: c:<id> or u:<id>. */
void lanes_add_durable(struct lanes *lanes, struct frame *frame, const char *channel, int64_t rev);

/* In place of the frame that waits under the same key (any text), as the newest of its lane. */
void lanes_add_ephemeral(struct lanes *lanes, struct frame *frame, const char *key);

/* The next frame to be written, with a reference of the caller's, or NULL: control, durable, ephemeral. Small neighbours
 * of one lane are joined, separated by newlines. */
struct frame *lanes_take(struct lanes *lanes);

#endif
