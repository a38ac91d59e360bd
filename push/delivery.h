/* One thing that a stream has to say to its sockets: an event off the bus, the rows of a repair, or only that there is more than
 * can be pushed. Reference counted, with what the hub must know of its content beside the ready frame. It is built by one
 * thread; once it is passed on, it belongs to the loop. */
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
	DELIVERY_GAP,     /* a marker: pull up to rev, the head. No frame: each socket gets its own delay */
};

/* A membership that it speaks of: in a conversation's stream `id` is a user, in a person's a conversation. member_rev counts
 * the conversation's stream in both. */
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
	bool deleted;        /* the conversation was: every member is out */
	int64_t spread_ms;   /* of a marker: sockets pull at random within it */
	struct frame *frame; /* NULL for a marker */
	size_t n_members, n_ended;
	struct delivery_member *members;
	char (*ended)[ID_SIZE]; /* log-ins that were revoked */
};

struct delivery *delivery_from_event(const struct event *event);

/* A repair, page by page: add each page, in order, beginning at after_rev; then finish makes the frame, or a marker when there
 * was more than one page or the frame is larger than max_bytes. `conversation_id` NULL: a person's stream. */
struct delivery *delivery_begin_repair(int64_t after_rev);
void delivery_add_changes(struct delivery *delivery, const char *conversation_id, const struct changes *page);
void delivery_add_person_changes(struct delivery *delivery, const struct person_changes *page);
void delivery_finish_repair(struct delivery *delivery, size_t max_bytes);

struct delivery *delivery_ref(struct delivery *delivery);
void delivery_unref(struct delivery *delivery); /* NULL is fine */

/* Frames that stand for no row. */
enum { GAP_KNOWN_NOTHING = -1 };
struct frame *frame_gap(const char *conversation_id, int64_t known_rev, int64_t last_rev, int64_t pull_after_ms,
			bool reset);
struct frame *frame_removed(const char *conversation_id, int64_t rev);
struct frame *frame_mode(const char *mode, const char *reason);
struct frame *frame_snapshot(const char *conversation_id, const struct changes *changes);

#endif
