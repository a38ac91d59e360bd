/* What people are told of each other besides messages: that one types, and how far one has received and read. Typing is checked
 * by what the socket is attached to and asks no database; cursors go through cursors.c. */
#include "receipts.h"

#include <string.h>

#include "base/clock.h"
#include "bus.h"
#include "cursors.h"
#include "hub.h"
#include "json.h"
#include "model/conversation.h"
#include "reply.h"
#include "session_private.h"
#include "typing.h"

static void
refuse(struct session *session, const struct event_frame *frame, const struct fault *fault)
{
	if (frame->id != NULL)
		session_reply(session, reply_error(frame->id, fault, 0));
}

/* An id that cannot be one becomes "", which names nothing. */
static void
take_id(const char *text, char ret_id[ID_SIZE])
{
	if (!id_normalize(text, ret_id))
		memset(ret_id, 0, ID_SIZE);
}

static void
publish_typing(struct session *session, const struct event_frame *frame, const char *conversation_id)
{
	const struct session_server_options *options = &session->server->options;
	struct event event;
	char *record;
	size_t len;

	if (options->bus == NULL)
		return;
	event_typing_started(frame->arena, conversation_id, session->user_id, &event);
	record = event_encode(frame->arena, hub_epoch(options->hub), &event, &len);
	bus_publish(options->bus, event.channel, record, len);
}

void
receipts_on_typing(struct session *session, const struct event_frame *frame)
{
	char conversation_id[ID_SIZE];
	const char *text;
	const struct json_field fields[] = {{"conversation_id", JSON_KIND_TEXT, true, &text}};
	struct fault fault = {0};
	int64_t member_count;

	if (json_decode(frame->body, fields, 1, frame->arena, &fault) != OK) {
		refuse(session, frame, &fault);
		return;
	}
	take_id(text, conversation_id);
	if (!hub_is_member(session->hub_socket, conversation_id, &member_count)) {
		fault_set(&fault, ERR_NOT_FOUND, "conversation_not_found", NULL, "There is no such conversation.");
		refuse(session, frame, &fault);
		return;
	}
	if (member_count <= CONVERSATION_CLOSE_MAX &&
	    typing_take(session->server->typing, conversation_id, session->user_id, clock_monotonic_ms()))
		publish_typing(session, frame, conversation_id);
	if (frame->id != NULL)
		session_reply(session, reply_ok(frame->id));
}

/* What the socket isn't attached to was joined this moment or is none of the person's: the database decides, but not about one made-up
 * id after the other. */
static const struct rate_limit STRANGE_CURSORS = {.per_second = 1, .burst = 20};

static bool
may_move(struct session *session, const struct event_frame *frame, const char *conversation_id)
{
	struct fault fault = {0};
	int64_t retry_after_ms = 0;

	if (hub_is_attached(session->hub_socket, conversation_id) ||
	    rate_take(&session->strange_cursors, &STRANGE_CURSORS, clock_monotonic_ms(), &retry_after_ms) ==
		    RATE_WITHIN)
		return true;
	fault_set(&fault, ERR_RATE_LIMITED, "rate_limited", NULL,
		  "Too many cursors of conversations that this socket does not follow: wait for retry_after_ms.");
	session_reply(session, reply_error(frame->id, &fault, retry_after_ms));
	return false;
}

static void
move_cursor(struct session *session, const struct event_frame *frame, enum cursor_kind kind)
{
	struct cursor_move move = {.kind = kind};
	const char *conversation_id;
	const struct json_field fields[] = {
		{"conversation_id", JSON_KIND_TEXT, true, &conversation_id},
		{"seq", JSON_KIND_INT, true, &move.seq},
	};
	struct fault fault = {0};

	if (json_decode(frame->body, fields, 2, frame->arena, &fault) != OK) {
		refuse(session, frame, &fault);
		return;
	}
	if (move.seq < 0) {
		fault_set(&fault, ERR_INVALID, "out_of_range", "seq", "The value of \"seq\" must not be negative.");
		refuse(session, frame, &fault);
		return;
	}
	take_id(conversation_id, move.conversation_id);
	if (!may_move(session, frame, move.conversation_id))
		return;
	memcpy(move.user_id, session->user_id, ID_SIZE);
	memcpy(move.session_id, session->login_id, ID_SIZE);
	cursors_move(session->server->cursors, &move, &session->cursor_owner, frame->id);
	session_update_reading(session);
}

void
receipts_on_read(struct session *session, const struct event_frame *frame)
{
	move_cursor(session, frame, CURSOR_READ);
}

void
receipts_on_delivered(struct session *session, const struct event_frame *frame)
{
	move_cursor(session, frame, CURSOR_DELIVERED);
}
