/* Authentication by the first frame: verify the token, look its log-in up off the loop, join the hub, which greets.
 *
 * A mistake before hello is answered and then ends the socket; a refresh that fails leaves it as it was. */
#include "auth.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "events.h"
#include "hub.h"
#include "json.h"
#include "login.h"
#include "reply.h"
#include "session_private.h"
#include "token.h"
#include "writer/writer.h"

enum {
	TYPING_RESEND_MS = 3000,
	TYPING_EXPIRE_MS = 6000,
	TOKEN_GRACE_MAX_MS = 30 * 1000, /* for a refresh that is on its way */
	TOKEN_GRACE_PART = 20,          /* and at most this part of the token's life */
	TOKEN_USE_NOTED_MS = 60 * 1000, /* last_used_at of a personal one is written no more often */
};

static const json_int_t REV_MAX = ((json_int_t)1 << 53) - 1;

/* An auth frame between its arrival and hello. */
struct auth {
	struct login login;      /* first member */
	struct session *session; /* NULL: closed meanwhile */
	bool looking;            /* the storage still has it */
	json_t *id;
	struct arena arena;
	struct hub_request request;
};

static void
destroy(struct auth *auth)
{
	json_decref(auth->id);
	arena_finish(&auth->arena);
	free(auth);
}

static void
forget(struct session *session)
{
	if (session->auth == NULL)
		return;
	session->auth->session = NULL;
	if (!session->auth->looking)
		destroy(session->auth);
	session->auth = NULL;
}

void
auth_cancel(struct session *session)
{
	forget(session);
}

/* Decoding. */

static enum status
decode_known(const json_t *known, struct auth *auth, struct fault *ret_fault)
{
	struct hub_known *entries = arena_alloc(&auth->arena, sizeof *entries * (json_object_size(known) + 1));
	const char *key;
	json_t *value;
	size_t n = 0;

	if (json_object_size(known) > AUTH_KNOWN_MAX)
		return fault_set(ret_fault, ERR_INVALID, "too_many", "known", "At most %d conversations may be listed.",
				 AUTH_KNOWN_MAX);
	json_object_foreach ((json_t *)known, key, value) {
		if (!id_normalize(key, entries[n].conversation_id) || !json_is_integer(value) ||
		    json_integer_value(value) < 0 || json_integer_value(value) > REV_MAX)
			return fault_set(ret_fault, ERR_INVALID, "invalid_known", "known",
					 "Each key must be a conversation's id, each value a revision.");
		entries[n++].rev = json_integer_value(value);
	}
	auth->request.known = entries;
	auth->request.n_known = n;
	auth->request.has_known = true;
	return OK;
}

/* A number that is given: -1 stands for one that is not. */
static enum status
check_number(const json_t *body, const char *name, int64_t number, struct fault *ret_fault)
{
	const json_t *given = json_object_get(body, name);

	if (given == NULL || json_is_null(given) || number >= 0)
		return OK;
	return fault_set(ret_fault, ERR_INVALID, "out_of_range", name, "%s must not be below 0.", name);
}

static enum status
decode_auth(const struct event_frame *frame, struct auth *auth, const char **ret_token, struct fault *ret_fault)
{
	json_t *known = NULL;
	const char *epoch = NULL;
	int64_t me = -1, known_count = -1;
	const struct json_field fields[] = {
		{"token", JSON_KIND_TEXT, true, ret_token},
		{"epoch", JSON_KIND_TEXT, false, &epoch},
		{"me", JSON_KIND_INT, false, &me},
		{"known", JSON_KIND_OBJECT, false, &known},
		{"known_count", JSON_KIND_INT, false, &known_count},
	};

	TRY(json_decode(frame->body, fields, sizeof fields / sizeof fields[0], frame->arena, ret_fault));
	if (**ret_token == '\0')
		return fault_set(ret_fault, ERR_INVALID, "invalid_token", "token", "The token must not be empty.");
	TRY(check_number(frame->body, "me", me, ret_fault));
	TRY(check_number(frame->body, "known_count", known_count, ret_fault));
	if (known != NULL)
		TRY(decode_known(known, auth, ret_fault));
	auth->request.epoch = arena_strdup(&auth->arena, epoch);
	auth->request.me = me;
	auth->request.known_count = known_count >= 0 ? known_count : (int64_t)auth->request.n_known;
	return OK;
}

/* Auth. */

static void
fail(struct session *session, json_t *reply, enum ws_code code, const char *reason)
{
	session_reply(session, reply);
	session_close(session, (int)code, reason);
}

static void
take_expiry(struct session *session, const struct token_claims *claims)
{
	int64_t life_ms = (claims->expires_at_s - claims->issued_at_s) * 1000;
	int64_t grace_ms = life_ms / TOKEN_GRACE_PART;

	session->token_expires_at_ms = claims->expires_at_s * 1000;
	session->token_grace_ms = grace_ms < TOKEN_GRACE_MAX_MS ? grace_ms : TOKEN_GRACE_MAX_MS;
}

static void
join(struct session *session, struct auth *auth)
{
	const struct session_server_options *options = &session->server->options;
	struct hub_socket *socket;

	session_set_state(session, SESSION_GREETING);
	socket = hub_join(options->hub, session, session->user_id, &auth->request, options->sockets_per_user);
	if (session->state == SESSION_CLOSING) { /* `auth` is gone */
		hub_leave(options->hub, socket);
		return;
	}
	session->hub_socket = socket;
	if (socket == NULL)
		fail(session,
		     reply_refusal(auth->id, ERR_FORBIDDEN, "too_many_connections",
				   "This account has too many open sockets."),
		     WS_TOO_MANY_CONNECTIONS, "too_many_connections");
}

static void
on_noted(struct write_op *op)
{
	arena_finish(&op->arena);
	free(op);
}

/* Written behind, and once a minute at most; a token that cannot be noted as used is used nevertheless. */
static void
note_use(struct session *session, const struct login *login)
{
	struct writer *writer = session->server->options.writer;
	struct write_access_token *write;

	if (writer == NULL || clock_wall_ms() - login->last_used_at_ms < TOKEN_USE_NOTED_MS)
		return;
	write = calloc(1, sizeof *write);
	if (write == NULL)
		abort();
	write->op.kind = WRITE_USE_TOKEN;
	write->op.done = on_noted;
	memcpy(write->token.id, login->session_id, sizeof write->token.id);
	if (writer_submit(writer, &write->op) != OK)
		free(write);
}

/* A personal access token is known by what was looked up. */
static void
take_login(struct session *session, struct auth *auth)
{
	const struct login *login = &auth->login;

	if (login->token_hash[0]) {
		int64_t now_s = clock_wall_ms() / 1000;
		struct token_claims claims = {.issued_at_s = now_s, .expires_at_s = login->expires_at_ms / 1000};

		memcpy(session->user_id, login->user_id, sizeof session->user_id);
		memcpy(session->login_id, login->session_id, sizeof session->login_id);
		take_expiry(session, &claims);
		note_use(session, login);
	}
	join(session, auth);
}

static void
on_looked_up(struct login *login, enum status status)
{
	struct auth *auth = (struct auth *)login;
	struct session *session = auth->session;

	auth->looking = false;
	if (session == NULL)
		destroy(auth);
	else if (status == OK)
		take_login(session, auth);
	else if (status == ERR_UNAUTHORIZED)
		fail(session, reply_refusal(auth->id, status, "session_ended", "This log-in has ended; log in again."),
		     WS_FORBIDDEN, "session_ended");
	else
		fail(session, reply_refusal(auth->id, ERR_UNAVAILABLE, "unavailable", ""), WS_SERVER_ERROR,
		     "server_error");
}

static void
take_claims(struct session *session, struct auth *auth, const struct token_claims *claims)
{
	memcpy(session->user_id, claims->user_id, sizeof session->user_id);
	memcpy(session->login_id, claims->session_id, sizeof session->login_id);
	take_expiry(session, claims);
	memcpy(auth->login.user_id, claims->user_id, sizeof auth->login.user_id);
	memcpy(auth->login.session_id, claims->session_id, sizeof auth->login.session_id);
}

static void
begin(struct session *session, struct auth *auth)
{
	session->auth = auth;
	auth->login.done = on_looked_up;
	auth->looking = true;
	session_set_state(session, SESSION_AUTHENTICATING);
	session_update_reading(session);
	login_check(session->server->options.storage, &auth->login);
}

void
auth_on_auth(struct session *session, const struct event_frame *frame)
{
	struct auth *auth = calloc(1, sizeof *auth);
	struct token_claims claims;
	struct fault fault = {0};
	const char *token = NULL;

	if (auth == NULL)
		abort();
	auth->session = session;
	auth->id = json_incref(frame->id);
	if (decode_auth(frame, auth, &token, &fault) != OK) {
		fail(session, reply_error(frame->id, &fault, 0), WS_BAD_FRAME, "bad_frame");
		destroy(auth);
	} else if (token_is_personal(token)) {
		id_hash_secret(token, strlen(token), auth->login.token_hash);
		session->token_expires_at_ms = INT64_MAX / 2; /* until it is known */
		begin(session, auth);
	} else if (token_verify(session->server->options.token_key, token, clock_wall_ms() / 1000, &claims, &fault) !=
		   OK) {
		fail(session, reply_error(frame->id, &fault, 0), WS_TOKEN, fault.code);
		destroy(auth);
	} else {
		take_claims(session, auth, &claims);
		begin(session, auth);
	}
}

/* Auth.refresh. */

static enum status
refresh(struct session *session, const struct event_frame *frame, struct fault *ret_fault)
{
	struct token_claims claims;
	const char *token = NULL;
	const struct json_field fields[] = {
		{"token", JSON_KIND_TEXT, true, &token},
	};

	TRY(json_decode(frame->body, fields, sizeof fields / sizeof fields[0], frame->arena, ret_fault));
	TRY(token_verify(session->server->options.token_key, token, clock_wall_ms() / 1000, &claims, ret_fault));
	if (strcmp(claims.user_id, session->user_id) != 0 || strcmp(claims.session_id, session->login_id) != 0)
		return fault_set(ret_fault, ERR_FORBIDDEN, "other_session", "token",
				 "The token belongs to another log-in than this socket.");
	take_expiry(session, &claims);
	session_plan_check(session);
	return OK;
}

static int64_t
expires_in_s(const struct session *session)
{
	int64_t left_ms = session->token_expires_at_ms - clock_wall_ms();

	return left_ms > 0 ? left_ms / 1000 : 0;
}

void
auth_on_refresh(struct session *session, const struct event_frame *frame)
{
	struct fault fault = {0};
	json_t *reply;

	if (refresh(session, frame, &fault) != OK) {
		session_reply(session, reply_error(frame->id, &fault, 0));
		return;
	}
	reply = reply_ok(frame->id);
	json_object_set_new(reply, "token_expires_in", json_integer(expires_in_s(session)));
	session_reply(session, reply);
}

/* Hello. */

json_t *
auth_hello(struct session *session, const struct session_hello *hello)
{
	const struct session_server_options *options = &session->server->options;
	char now[CLOCK_TEXT_SIZE];
	json_t *json = reply_ok(session->auth->id);
	json_t *limits = json_object();

	clock_format(clock_wall_ms(), now);
	json_object_set_new(json, "type", json_string("hello"));
	json_object_set_new(json, "connection_id", json_string(session->connection_id));
	json_object_set_new(json, "user_id", json_string(session->user_id));
	json_object_set_new(json, "node", json_string(options->node));
	json_object_set_new(json, "epoch", json_string(hello->epoch));
	json_object_set_new(json, "me", json_integer(hello->me));
	json_object_set_new(json, "server_time", json_string(now));
	json_object_set_new(json, "heartbeat_ms", json_integer(options->heartbeat_ms));
	json_object_set_new(json, "mode", json_string(hello->mode));
	json_object_set_new(json, "token_expires_in", json_integer(expires_in_s(session)));
	json_object_set_new(limits, "frame_bytes", json_integer((json_int_t)options->frame_bytes));
	json_object_set_new(limits, "typing_resend_ms", json_integer(TYPING_RESEND_MS));
	json_object_set_new(limits, "typing_expire_ms", json_integer(TYPING_EXPIRE_MS));
	json_object_set_new(json, "limits", limits);
	if (hello->sync_required)
		json_object_set_new(json, "sync_required", json_true());
	forget(session);
	return json;
}
