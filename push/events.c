/* Decodes a frame, keeps the rate, and calls the handler of its type. To add a frame: a handler above the table, a row in it,
 * and its entry in PROTOCOL.md. */
#include "events.h"

#include <string.h>

#include "auth.h"
#include "base/clock.h"
#include "json.h"
#include "metrics.h"
#include "reply.h"
#include "session_private.h"

enum { REPLY_ID_BYTES_MAX = 64 };

/* Message.send. */

/* Reads an optional id into an array of ID_SIZE; absent leaves it "". */
static enum status
copy_id(const char *text, const char *field, char *ret_id, struct fault *ret_fault)
{
	if (text != NULL && !id_normalize(text, ret_id))
		return fault_set(ret_fault, ERR_INVALID, "invalid_id", field, "The value of \"%s\" must be a UUID.",
				 field);
	return OK;
}

static enum status
decode_send(const struct event_frame *frame, struct message_draft *draft, struct fault *ret_fault)
{
	const char *conversation_id = NULL, *recipient_id = NULL, *message_id = NULL, *reply_to_id = NULL;
	const struct json_field fields[] = {
		{"conversation_id", JSON_KIND_TEXT, false, &conversation_id},
		{"recipient_id", JSON_KIND_TEXT, false, &recipient_id},
		{"message_id", JSON_KIND_TEXT, false, &message_id},
		{"content", JSON_KIND_TEXT, true, &draft->content},
		{"reply_to_id", JSON_KIND_TEXT, false, &reply_to_id},
	};

	TRY(json_decode(frame->body, fields, sizeof fields / sizeof fields[0], frame->arena, ret_fault));
	if ((conversation_id == NULL) == (recipient_id == NULL))
		return fault_set(ret_fault, ERR_MALFORMED, "missing_key", "conversation_id",
				 "Exactly one of \"conversation_id\" and \"recipient_id\" is required.");
	TRY(copy_id(conversation_id, "conversation_id", draft->conversation_id, ret_fault));
	TRY(copy_id(recipient_id, "recipient_id", draft->recipient_id, ret_fault));
	TRY(copy_id(message_id, "message_id", draft->id, ret_fault));
	draft->id_chosen = message_id != NULL;
	return copy_id(reply_to_id, "reply_to_id", draft->reply_to_id, ret_fault);
}

static void
on_message_send(struct session *session, const struct event_frame *frame)
{
	const struct session_server_options *options = &session->server->options;
	struct message_draft draft = {0};
	struct fault fault = {0};

	memcpy(draft.sender_id, session->user_id, sizeof draft.sender_id);
	if (decode_send(frame, &draft, &fault) != OK)
		session_reply(session, reply_error(frame->id, &fault, 0));
	else
		sends_submit(&session->sends, options->loop, options->pipeline, &draft, frame->id);
	session_update_reading(session);
}

static void
on_sent(void *context, json_t *reply)
{
	struct session *session = context;

	session_reply(session, reply);
	session_update_reading(session);
}

void
events_init_sends(struct session *session)
{
	session->sends.reply = on_sent;
	session->sends.context = session;
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

/* The table. */

struct row {
	const char *type;
	enum session_state state; /* in which it may come */
	void (*handle)(struct session *session, const struct event_frame *frame);
};

static const struct row rows[] = {
	{"auth", SESSION_CONNECTED, auth_on_auth},
	{"auth.refresh", SESSION_LIVE, auth_on_refresh},
	{"message.send", SESSION_LIVE, on_message_send},
	{"ping", SESSION_LIVE, on_ping},
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
	} else {
		row->handle(session, frame);
	}
}

/* Every frame. */

/* Whether it may go on; else it has been answered. */
static bool
keep_rate(struct session *session, json_t *id)
{
	struct fault fault = {0};
	int64_t retry_after_ms = 0;

	switch (rate_take(&session->rate, &session->server->options.rate, clock_monotonic_ms(), &retry_after_ms)) {
	case RATE_WITHIN:
		return true;
	case RATE_OVER:
		fault_set(&fault, ERR_RATE_LIMITED, "rate_limited", NULL, "Too many frames.");
		session_reply(session, reply_error(id, &fault, retry_after_ms));
		return false;
	case RATE_ABUSE:
		session_close(session, WS_TOO_MANY_REQUESTS, "too_many_requests");
		return false;
	}
	return false;
}

/* Takes `id` out of the frame: an integer or a short string; anything else is refused. */
static bool
take_id(json_t *frame, json_t **ret_id)
{
	json_t *id = json_incref(json_object_get(frame, "id"));

	json_object_del(frame, "id");
	if (id != NULL && !json_is_integer(id) && !json_is_null(id) &&
	    !(json_is_string(id) && json_string_length(id) <= REPLY_ID_BYTES_MAX)) {
		json_decref(id);
		return false;
	}
	*ret_id = id;
	return true;
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
		refuse(session, NULL, "The value of \"id\" must be an integer or a string of at most 64 bytes.");
	arena_finish(&arena);
}
