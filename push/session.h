/* One WebSocket: its state, who it is, and what goes out to it. A session never reads the database and knows no streams;
 * hub.h does. */
#ifndef PUSH_SESSION_H
#define PUSH_SESSION_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"
#include "frame.h"
#include "model/event.h"
#include "rate.h"
#include "ws.h"

struct session_server; /* what all sessions of the process share */
struct bus;
struct hub;
struct hub_socket;
struct loop;
struct pipeline;
struct presence_watch;
struct writer;
struct storage;
struct token_key;
struct wheel;

enum session_state {
	SESSION_CONNECTED,      /* upgraded; the first frame must be auth */
	SESSION_AUTHENTICATING, /* the token's session is being looked up */
	SESSION_GREETING,       /* the hub reads where its streams stand */
	SESSION_LIVE,           /* hello has been sent */
	SESSION_CLOSING,        /* a close frame is on its way: nothing is accepted or sent any more */
};

struct session;

/* What the hub calls. `channel` and `rev` say which stream a durable frame belongs to, so that an overflowing lane can
 * collapse it into one gap marker; the frame is shared, the session takes a reference of its own if it keeps it. */
void session_send_durable(struct session *session, struct frame *frame, const char *channel, int64_t rev);
void session_send_control(struct session *session, struct frame *frame);
/* Of what waits under one key only the newest is sent (lane.h). */
void session_send_ephemeral(struct session *session, struct frame *frame, const char *key);
/* Whether a frame would be written at once: nothing waits. */
bool session_is_clear(const struct session *session);

struct session_hello {
	const char *epoch;
	int64_t me;
	const char *mode; /* "normal" or "degraded" */
	bool sync_required;
};
/* Sends the hello reply and makes the session live. Frames that follow are sent by the hub in order. */
void session_greet(struct session *session, const struct session_hello *hello);

/* Ends it with a close code and its stable reason (a literal: "draining", "revoked", ...). Safe to call from anywhere on the
 * loop; the hub_socket has been left when it returns. */
void session_close(struct session *session, int code, const char *reason);

/* The session id of the log-in this socket uses (hub: a session.revoked concerns it). */
const char *session_login_id(const struct session *session);

/* All sessions of the process. */

/* Borrowed, all of it. */
struct session_server_options {
	struct loop *loop;
	struct storage *storage;
	struct hub *hub;
	struct bus *bus; /* NULL in tests: nothing is published */
	struct pipeline *pipeline;
	struct writer *writer;
	struct wheel *wheel;
	struct presence_watch *presence_watch;
	const struct token_key *token_key;
	const char *node; /* this process's name in hello */
	size_t frame_bytes;
	struct rate_limit rate;       /* of one socket's frames */
	struct rate_limiter *limiter; /* of what people do; NULL in tests */
	int64_t auth_ms;
	int64_t heartbeat_ms;
	int64_t sockets_per_user;
};

struct session_server *session_server_create(const struct session_server_options *options);

/* Submits what still waits to be written, for a process that ends: before its writer does. */
void session_server_flush(struct session_server *server);

/* No session may be left, and the loop has run what the writer posted. */
void session_server_destroy(struct session_server *server);

/* What ws calls: `opened`, `received`, `violated`, `writable` and `closed`, with the server as context. */
void session_server_handlers(struct ws_handlers *ret_handlers);

/* Closes every session. */
void session_server_close_all(struct session_server *server, int code, const char *reason);

/* The server ends: every live session is told its slot within `within_ms` by a `reconnect` frame; the others, and those that
 * are opened from now on, are closed with 4001 at once. 0: all of them are, without a word before. */
void session_server_drain(struct session_server *server, int64_t within_ms);

/* While draining: closes the sessions whose slot has come. */
void session_server_close_due(struct session_server *server);

#endif
