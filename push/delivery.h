/* One thing that a stream has to say to its sockets: an event off the bus, the rows of a repair, or only a marker. Made once,
 * reference counted, with what the hub must know of its content beside the ready frame. Loop thread only. */
#ifndef PUSH_DELIVERY_H
#define PUSH_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"
#include "frame.h"
#include "model/changes.h"
#include "model/event.h"

enum delivery_kind {
	DELIVERY_EVENT,   /* rev = after_rev + 1 */
	DELIVERY_CHANGES, /* all between after_rev and rev */
	DELIVERY_GAP,     /* a marker: pull up to rev */
};

/* A membership that it speaks of: in a conversation's stream `id` is a user, in a person's a conversation. */
struct delivery_member {
	char id[ID_SIZE];
	int64_t member_rev;
	bool left;
};

struct delivery {
	size_t references;
	struct delivery *next; /* in a stream's waiting list */
	enum delivery_kind kind;
	int64_t after_rev, rev;
	char session_id[ID_SIZE]; /* session.revoked: the log-in that ended; else "" */
	bool deleted;             /* conversation.deleted: every member is out */
	struct frame *frame;
	size_t n_members;
	struct delivery_member members[];
};

struct delivery *delivery_from_event(const struct event *event);

/* Of a repair: the rows as one `changes` frame. */
struct delivery *delivery_from_changes(const char *conversation_id, const struct changes *changes);
struct delivery *delivery_from_person_changes(const struct person_changes *changes);

/* The same members, but a marker instead of the rows. `conversation_id` NULL: the person's stream. */
struct delivery *delivery_to_gap(const struct delivery *delivery, const char *conversation_id, int64_t pull_after_ms);

struct delivery *delivery_ref(struct delivery *delivery);
void delivery_unref(struct delivery *delivery);

/* Frames that stand for no row. */
enum { GAP_KNOWN_NOTHING = -1 };
struct frame *frame_gap(const char *conversation_id, int64_t known_rev, int64_t last_rev, int64_t pull_after_ms,
			bool reset);
struct frame *frame_removed(const char *conversation_id, int64_t rev);
struct frame *frame_mode(const char *mode, const char *reason);
struct frame *frame_snapshot(const char *conversation_id, const struct changes *changes);

#endif
