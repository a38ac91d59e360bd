/* The life of a socket from the upgrade to its close: state, lanes, timeouts. What client frames mean is events.c's. */
#include "session.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

#include "auth.h"
#include "base/clock.h"
#include "events.h"
#include "hub.h"
#include "log.h"
#include "metrics.h"
#include "presence_watch.h"
#include "session_private.h"
#include "typing.h"

enum { DRAINS_MAX = 16 }; /* frames of one session a turn */

/* State. */

static bool
may_follow(enum session_state from, enum session_state to)
{
	return to == SESSION_CLOSING ? from != SESSION_CLOSING : to == from + 1;
}

void
session_set_state(struct session *session, enum session_state state)
{
	bool fine = may_follow(session->state, state);

	assert(fine);
	(void)fine;
	session->state = state;
}

/* Between auth and hello nothing is read: what a client sends ahead waits in the kernel. Stopped and resumed at different
 * fillings, so that a busy socket is not switched with each frame. */
static bool
should_read(const struct session *session)
{
	size_t part = session->reading ? 1 : 2;

	if (session->state != SESSION_LIVE)
		return session->state == SESSION_CONNECTED;
	return session->lanes.control.bytes < LANE_CONTROL_MAX / part && session->sends.n_waiting < SENDS_MAX / part &&
	       session->cursor_owner.n_waits < SENDS_MAX / part;
}

void
session_update_reading(struct session *session)
{
	bool reading = should_read(session);

	if (session->state == SESSION_CLOSING || reading == session->reading)
		return;
	session->reading = reading;
	ws_set_reading(session->conn, reading);
}

const char *
session_login_id(const struct session *session)
{
	return session->login_id;
}

/* Out. */

bool
session_is_clear(const struct session *session)
{
	return lanes_are_empty(&session->lanes) && ws_can_send(session->conn);
}

/* Written at once when nothing waits. False: it must wait. */
static bool
write_now(struct session *session, struct frame *frame)
{
	if (!session_is_clear(session))
		return false;
	ws_send(session->conn, frame);
	return true;
}

static void
wait_for_room(struct session *session)
{
	ws_want_writable(session->conn);
	session_plan_check(session); /* somebody who doesn't read is watched more closely */
}

void
session_send_control(struct session *session, struct frame *frame)
{
	if (session->state == SESSION_CLOSING || write_now(session, frame))
		return;
	lanes_add_control(&session->lanes, frame);
	wait_for_room(session);
	session_update_reading(session);
}

void
session_send_durable(struct session *session, struct frame *frame, const char *channel, int64_t rev)
{
	if (session->state == SESSION_CLOSING || write_now(session, frame))
		return;
	lanes_add_durable(&session->lanes, frame, channel, rev);
	wait_for_room(session);
}

void
session_send_ephemeral(struct session *session, struct frame *frame, const char *key)
{
	if (session->state == SESSION_CLOSING || write_now(session, frame))
		return;
	lanes_add_ephemeral(&session->lanes, frame, key);
	wait_for_room(session);
}

void
session_reply(struct session *session, json_t *reply)
{
	struct frame *frame = frame_from_json(reply);

	session_send_control(session, frame);
	frame_unref(frame);
}

static void
on_writable(void *owner)
{
	struct session *session = owner;

	for (int i = 0; i < DRAINS_MAX && ws_can_send(session->conn); i++) {
		struct frame *frame = lanes_take(&session->lanes);

		if (frame == NULL)
			break;
		ws_send(session->conn, frame);
		frame_unref(frame);
	}
	if (!lanes_are_empty(&session->lanes))
		ws_want_writable(session->conn);
	session_update_reading(session);
}

void
session_greet(struct session *session, const struct session_hello *hello)
{
	json_t *json;

	if (session->state != SESSION_GREETING)
		return; /* closed while the hub was reading */
	json = auth_hello(session, hello);
	session_set_state(session, SESSION_LIVE);
	ws_admitted(session->conn);
	session_reply(session, json);
	session_update_reading(session);
	log_debug("hello", LOG_S("connection", session->connection_id), LOG_S("user", session->user_id));
}

/* Timeouts. */

static int64_t
min_int64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

void
session_plan_check(struct session *session)
{
	int64_t now_ms = clock_monotonic_ms();
	int64_t delay_ms = session->ping_at_ms - now_ms;

	if (session->state == SESSION_CONNECTED || session->state == SESSION_CLOSING)
		return; /* the one set at the beginning stands */
	if (!lanes_are_empty(&session->lanes) || session->liveness.waiting_since_ms != 0)
		delay_ms = min_int64(delay_ms, LIVENESS_WATCH_MS);
	delay_ms = min_int64(delay_ms, session->token_expires_at_ms + session->token_grace_ms - clock_wall_ms());
	if (delay_ms < 0)
		delay_ms = 0;
	if (wheel_is_set(&session->check) &&
	    wheel_due_in_ms(session->server->options.wheel, &session->check) <= delay_ms)
		return;
	wheel_set(session->server->options.wheel, &session->check, delay_ms);
}

static enum liveness_verdict
look_at_transport(struct session *session, int64_t now_ms)
{
	struct ws_progress progress;
	struct liveness_sample sample;

	ws_progress(session->conn, &progress);
	sample = (struct liveness_sample){progress.received, progress.acknowledged, progress.unacknowledged};
	return liveness_look(&session->liveness, &sample, now_ms);
}

static void
on_check(struct wheel_entry *entry)
{
	struct session *session = (struct session *)((char *)entry - offsetof(struct session, check));
	int64_t now_ms = clock_monotonic_ms();
	enum liveness_verdict verdict;

	if (session->state == SESSION_CONNECTED) {
		session_close(session, WS_AUTH_TIMEOUT, "authentication_timeout");
		return;
	}
	if (clock_wall_ms() >= session->token_expires_at_ms + session->token_grace_ms) {
		session_close(session, WS_TOKEN, "token_expired");
		return;
	}
	verdict = look_at_transport(session, now_ms);
	if (verdict == LIVENESS_STALLED) {
		session_close(session, WS_STALLED, "stalled");
		return;
	}
	if (verdict == LIVENESS_SILENT) {
		session_close(session, WS_SILENT, "silent");
		return;
	}
	if (now_ms >= session->ping_at_ms) {
		ws_ping(session->conn);
		session->ping_at_ms = now_ms + session->server->options.heartbeat_ms;
	}
	session_plan_check(session);
}

/* Beginning and end. */

static void *
on_opened(void *context, struct ws_conn *conn)
{
	struct session_server *server = context;
	struct session *session = calloc(1, sizeof *session);
	int64_t now_ms = clock_monotonic_ms();

	if (session == NULL)
		abort();
	session->server = server;
	session->conn = conn;
	session->state = SESSION_CONNECTED;
	session->reading = true;
	session->check.due = on_check;
	session->ping_at_ms = now_ms + server->options.heartbeat_ms;
	id_make(session->connection_id);
	rate_init(&session->rate, &server->options.rate, now_ms);
	liveness_init(&session->liveness, now_ms);
	events_init_sends(session);
	wheel_set(server->options.wheel, &session->check, server->options.auth_ms);
	DL_APPEND(server->sessions, session);
	metrics_add(METRIC_SOCKETS, 1);
	if (server->draining)
		session_close(session, WS_DRAINING, "draining");
	return session;
}

static void
on_violated(void *owner, enum ws_code code, const char *reason)
{
	session_close(owner, (int)code, reason);
}

/* Lets go of everything but the socket. */
static void
detach(struct session *session)
{
	session_set_state(session, SESSION_CLOSING);
	wheel_cancel(session->server->options.wheel, &session->check);
	auth_cancel(session);
	sends_finish(&session->sends);
	cursors_forget(&session->cursor_owner);
	lanes_finish(&session->lanes);
	presence_watch_leave(session->watcher);
	session->watcher = NULL;
	hub_leave(session->server->options.hub, session->hub_socket);
	session->hub_socket = NULL;
}

void
session_close(struct session *session, int code, const char *reason)
{
	if (session->state == SESSION_CLOSING)
		return;
	detach(session);
	log_debug("close", LOG_S("connection", session->connection_id), LOG_I("code", code), LOG_S("reason", reason));
	ws_close(session->conn, (enum ws_code)code, reason);
}

static void
on_closed(void *owner)
{
	struct session *session = owner;

	if (session->state != SESSION_CLOSING)
		detach(session);
	DL_DELETE(session->server->sessions, session);
	metrics_add(METRIC_SOCKETS, -1);
	free(session);
}

static void
on_received(void *owner, const char *text, size_t len)
{
	events_handle(owner, text, len);
}

struct session_server *
session_server_create(const struct session_server_options *options)
{
	struct session_server *server = calloc(1, sizeof *server);

	if (server == NULL)
		abort();
	server->options = *options;
	server->typing = typing_create();
	server->cursors = cursors_create(options->loop, options->writer, options->wheel);
	return server;
}

void
session_server_destroy(struct session_server *server)
{
	if (server == NULL)
		return;
	assert(server->sessions == NULL);
	typing_destroy(server->typing);
	cursors_destroy(server->cursors);
	free(server);
}

void
session_server_flush(struct session_server *server)
{
	cursors_flush(server->cursors);
}

void
session_server_handlers(struct ws_handlers *ret_handlers)
{
	ret_handlers->opened = on_opened;
	ret_handlers->received = on_received;
	ret_handlers->violated = on_violated;
	ret_handlers->writable = on_writable;
	ret_handlers->closed = on_closed;
}

void
session_server_close_all(struct session_server *server, int code, const char *reason)
{
	struct session *session, *next;

	DL_FOREACH_SAFE (server->sessions, session, next)
		session_close(session, code, reason);
}

/* Drain. */

static size_t
count_live(const struct session_server *server)
{
	const struct session *session;
	size_t n = 0;

	DL_FOREACH (server->sessions, session)
		n += session->state == SESSION_LIVE;
	return n;
}

static void
announce_slot(struct session *session, int64_t after_ms)
{
	session->leave_at_ms = clock_monotonic_ms() + after_ms;
	session_reply(session, json_pack("{s:s, s:I}", "type", "reconnect", "after_ms", (json_int_t)after_ms));
}

void
session_server_drain(struct session_server *server, int64_t within_ms)
{
	int64_t n_live = (int64_t)count_live(server), slot = 0;
	struct session *session, *next;

	server->draining = true;
	if (within_ms <= 0) {
		session_server_close_all(server, WS_DRAINING, "draining");
		return;
	}
	DL_FOREACH_SAFE (server->sessions, session, next) {
		if (session->state == SESSION_LIVE)
			announce_slot(session, within_ms * ++slot / n_live);
		else
			session_close(session, WS_DRAINING, "draining");
	}
}

void
session_server_close_due(struct session_server *server)
{
	int64_t now_ms = clock_monotonic_ms();
	struct session *session, *next;

	DL_FOREACH_SAFE (server->sessions, session, next) {
		if (session->state == SESSION_CLOSING)
			continue;
		if (session->leave_at_ms > now_ms)
			return;
		session_close(session, WS_DRAINING, "draining");
	}
}
