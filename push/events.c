/* Decodes a frame, keeps the rate, and calls the handler of its type. To add a frame: a handler above the table, a row
 * in it, and its entry in PROTOCOL.md. */
#include "events.h"

#include <string.h>

#include "auth.h"
#include "base/clock.h"
#include "json.h"
#include "metrics.h"
#include "presence_watch.h"
#include "rate_limit.h"
#include "receipts.h"
#include "reply.h"
#include "session_private.h"

enum { REPLY_ID_BYTES_MAX = 64 };

/* JavaScript's numbers make another one of a larger id. */
static const json_int_t REPLY_ID_MAX = ((json_int_t)1 << 53) - 1;

/* Message.send. */

static void
on_message_send(struct session *session, const struct event_frame *frame)
{
	const struct session_server_options *options = &session->server->options;
	struct message_draft draft = {0};
	struct fault fault = {0};

	memcpy(draft.sender_id, session->user_id, sizeof draft.sender_id);
	memcpy(draft.session_id, session->login_id, sizeof draft.session_id);
	if (message_draft_from_json(frame->body, MESSAGE_DRAFT_FRAME, frame->arena, &draft, &fault) != OK)
		sends_refuse(&session->sends, &fault, frame->id);
	else
		sends_submit(&session->sends, options->loop, options->pipeline, &draft, frame->id);
	session_update_reading(session);
}

/* Message.edit, message.delete, reaction.add, reaction.remove. */

/* An id that cannot be one becomes "", which names nothing. */
static void
take_frame_id(const char *text, char ret_id[ID_SIZE])
{
	if (!id_normalize(text, ret_id))
		ret_id[0] = '\0';
}

static void
change_message(struct session *session, const struct event_frame *frame, enum message_action action)
{
	const struct session_server_options *options = &session->server->options;
	struct message_change change = {.action = action};
	const char *conversation_id, *message_id;
	const struct json_field fields[] = {
		{"conversation_id", JSON_KIND_TEXT, true, &conversation_id},
		{"message_id", JSON_KIND_TEXT, true, &message_id},
		action == MESSAGE_EDIT ? (struct json_field){"content", JSON_KIND_TEXT, true, &change.content}
				       : (struct json_field){"emoji", JSON_KIND_TEXT, true, &change.emoji},
	};
	struct fault fault = {0};

	if (json_decode(frame->body, fields, action == MESSAGE_DELETE ? 2 : 3, frame->arena, &fault) != OK) {
		sends_refuse(&session->sends, &fault, frame->id);
	} else {
		take_frame_id(conversation_id, change.conversation_id);
		take_frame_id(message_id, change.message_id);
		memcpy(change.actor_id, session->user_id, ID_SIZE);
		memcpy(change.session_id, session->login_id, ID_SIZE);
		sends_change(&session->sends, options->loop, options->pipeline, &change, frame->id);
	}
	session_update_reading(session);
}

static void
on_message_edit(struct session *session, const struct event_frame *frame)
{
	change_message(session, frame, MESSAGE_EDIT);
}

static void
on_message_delete(struct session *session, const struct event_frame *frame)
{
	change_message(session, frame, MESSAGE_DELETE);
}

static void
on_reaction_add(struct session *session, const struct event_frame *frame)
{
	change_message(session, frame, MESSAGE_REACT);
}

static void
on_reaction_remove(struct session *session, const struct event_frame *frame)
{
	change_message(session, frame, MESSAGE_UNREACT);
}

static void
on_sent(void *context, json_t *reply)
{
	struct session *session = context;

	if (reply != NULL)
		session_reply(session, reply);
	session_update_reading(session);
}

static void
on_login_ended(void *context)
{
	session_close(context, WS_FORBIDDEN, "session_ended");
}

void
events_init_sends(struct session *session)
{
	session->sends.reply = on_sent;
	session->sends.ended = on_login_ended;
	session->sends.context = session;
	session->cursor_owner.reply = on_sent;
	session->cursor_owner.ended = on_login_ended;
	session->cursor_owner.context = session;
}

/* Ping. */

static void
on_ping(struct session *session, const struct event_frame *frame)
{
	struct fault fault = {0};
	json_t *reply;

	if (json_decode(frame->body, NULL, 0, frame->arena, &fault) != OK) {
		session_reply(session, reply_error(frame->id, &fault, 0));
		return;
	}
	reply = reply_ok(frame->id);
	json_object_set_new(reply, "type", json_string("pong"));
	session_reply(session, reply);
}

/* What one person may do, from all sockets and by REST together. */

/* A refusal is answered in its turn, so that an order is kept. */
static bool
may_send(struct session *session, const struct event_frame *frame)
{
	struct rate_answer answer;
	struct fault fault = {0};

	rate_limit_take(session->server->options.limiter, RATE_CLASS_SEND, session->user_id, &answer);
	if (rate_limit_refusal(&answer, &fault) == OK)
		return true;
	sends_refuse(&session->sends, &fault, frame->id);
	session_update_reading(session);
	return false;
}

static bool
may_ask(struct session *session, const struct event_frame *frame)
{
	struct rate_answer answer;
	struct fault fault = {0};

	rate_limit_take(session->server->options.limiter, RATE_CLASS_GENERAL, session->user_id, &answer);
	if (rate_limit_refusal(&answer, &fault) == OK)
		return true;
	session_reply(session, reply_error(frame->id, &fault, fault.retry_after_ms));
	return false;
}

/* The table. */

struct row {
	const char *type;
	void (*handle)(struct session *session, const struct event_frame *frame);
	/* NULL: asks the socket's rate alone. */
	bool (*may)(struct session *session, const struct event_frame *frame);
	enum session_state state; /* in which it may come */
};

static const struct row rows[] = {
	{"auth", auth_on_auth, NULL, SESSION_CONNECTED},
	{"auth.refresh", auth_on_refresh, NULL, SESSION_LIVE},
	{"message.send", on_message_send, may_send, SESSION_LIVE},
	{"message.edit", on_message_edit, may_send, SESSION_LIVE},
	{"message.delete", on_message_delete, may_send, SESSION_LIVE},
	{"reaction.add", on_reaction_add, may_send, SESSION_LIVE},
	{"reaction.remove", on_reaction_remove, may_send, SESSION_LIVE},
	{"read.update", receipts_on_read, may_ask, SESSION_LIVE},
	{"delivered.update", receipts_on_delivered, may_ask, SESSION_LIVE},
	{"typing.start", receipts_on_typing, NULL, SESSION_LIVE},
	{"presence.watch", presence_watch_on_frame, may_ask, SESSION_LIVE},
	{"ping", on_ping, NULL, SESSION_LIVE},
};

static const struct row *
find_row(const char *type)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (strcmp(rows[i].type, type) == 0)
			return &rows[i];
	}
	return NULL;
}

static void
refuse(struct session *session, json_t *id, const char *detail)
{
	session_reply(session, reply_refusal(id, ERR_MALFORMED, NULL, detail));
}

static void
dispatch(struct session *session, const char *type, const struct event_frame *frame)
{
	const struct row *row = find_row(type);

	if (session->state == SESSION_CONNECTED && (row == NULL || row->state != SESSION_CONNECTED)) {
		session_reply(session, reply_refusal(frame->id, ERR_UNAUTHORIZED, "unauthorized",
						     "The first frame must be auth."));
		session_close(session, WS_TOKEN, "unauthorized");
	} else if (row == NULL) {
		refuse(session, frame->id, "This type of frame is not known.");
	} else if (row->state != session->state) {
		refuse(session, frame->id, "This socket is authenticated already; auth.refresh changes its token.");
	} else if (!row->may || row->may(session, frame)) {
		row->handle(session, frame);
	}
}

/* Every frame. */

/* Against a flood: all sockets share this one loop, and a frame costs far less to send than to serve. True: the frame
 * is within the rate and to be handled. False: it is done with, by a reply or, when the flood has lasted, a close. */
static bool
keep_rate(struct session *session, json_t *id)
{
	struct fault fault = {0};
	int64_t retry_after_ms = 0;

	switch (rate_take(&session->rate, &session->server->options.rate, clock_monotonic_ms(), &retry_after_ms)) {
	case RATE_WITHIN:
		return true;
	case RATE_OVER:
		fault_set(&fault, ERR_RATE_LIMITED, "rate_limited", NULL,
			  "Too many frames in a short time: wait for retry_after_ms, then send this one again.");
		session_reply(session, reply_error(id, &fault, retry_after_ms));
		return false;
	case RATE_ABUSE:
		session_close(session, WS_TOO_MANY_REQUESTS, "too_many_requests");
		return false;
	}
	return false;
}

static bool
is_reply_id(const json_t *id)
{
	json_int_t number = json_integer_value(id);

	if (json_is_integer(id))
		return number >= -REPLY_ID_MAX && number <= REPLY_ID_MAX;
	return json_is_string(id) && json_string_length(id) <= REPLY_ID_BYTES_MAX;
}

/* Takes `id` out of the frame: an integer or a short string, NULL when there is none (or null); anything else is refused. */
static bool
take_id(json_t *frame, json_t **ret_id)
{
	json_t *id = json_object_get(frame, "id");
	bool is_fine = id == NULL || json_is_null(id) || is_reply_id(id);

	if (is_fine && !json_is_null(id))
		*ret_id = json_incref(id);
	json_object_del(frame, "id");
	return is_fine;
}

void
events_handle(struct session *session, const char *text, size_t len)
{
	CLEANUP_JSON json_t *body = NULL;
	CLEANUP_JSON json_t *type = NULL;
	CLEANUP_JSON json_t *id = NULL;
	struct arena arena = {0};
	bool id_is_fine;

	if (session->state == SESSION_CLOSING)
		return;
	metrics_add(METRIC_FRAMES_IN, 1);
	if (json_parse_object(text, len, &body, NULL) == OK)
		type = json_incref(json_object_get(body, "type"));
	if (!json_is_string(type)) {
		session_close(session, WS_BAD_FRAME, "bad_frame");
		return;
	}
	json_object_del(body, "type");
	id_is_fine = take_id(body, &id);
	if (!keep_rate(session, id))
		return;
	if (id_is_fine)
		dispatch(session, json_string_value(type), &(struct event_frame){body, id, &arena});
	else
		refuse(session, NULL,
		       "The value of \"id\" must be an integer from -(2^53 - 1) to 2^53 - 1 or a string of at most 64 "
		       "bytes.");
	arena_finish(&arena);
}
