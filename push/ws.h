/* The WebSocket server below the sessions: listening, upgrades, whole text frames in, frames out, pings, closes.
 *
 * Nothing outside push/ws*.c knows libwebsockets. Loop thread only. */
#ifndef PUSH_WS_H
#define PUSH_WS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/status.h"
#include "frame.h"
#include "rate.h"

struct ws;
struct ws_conn;

/* Close codes (RFC 6455 7.4.1 and PROTOCOL.md). */
enum ws_code {
	WS_UNSUPPORTED = 1003,
	WS_DRAINING = 4001,
	WS_SERVER_ERROR = 4003,
	WS_STALLED = 4008,
	WS_SILENT = 4009,
	WS_TOO_MANY_REQUESTS = 4029,
	WS_BAD_FRAME = 4400,
	WS_TOKEN = 4401,
	WS_FORBIDDEN = 4403,
	WS_AUTH_TIMEOUT = 4408,
	WS_TOO_BIG = 4413,
	WS_TOO_MANY_CONNECTIONS = 4430,
};

struct ws_handlers {
	/* An upgraded socket; what it returns is the `owner` of the calls below. */
	void *(*opened)(void *context, struct ws_conn *conn);
	/* One whole text frame, valid UTF-8, at most frame_bytes. */
	void (*received)(void *owner, const char *text, size_t len);
	/* The peer broke a rule of the transport: the owner is to end itself, with ws_close. */
	void (*violated)(void *owner, enum ws_code code, const char *reason);
	/* After ws_want_writable. */
	void (*writable)(void *owner);
	/* The last call; the conn is gone. */
	void (*closed)(void *owner);
};

struct ws_options {
	uv_loop_t *loop;
	const char *bind; /* a numeric address */
	int port;
	bool share_port; /* several processes listen on it (SO_REUSEPORT) */
	size_t frame_bytes;
	struct rate_limit accepts;         /* connections; more are refused with 503 */
	size_t handshakes_max;             /* between their accept and ws_admitted; more are refused too */
	const char *const *public_origins; /* NULL-terminated, or NULL */
	const struct ws_handlers *handlers;
	void *context; /* of `opened` */
};

/* Only makes it; what the options point to is borrowed. */
struct ws *ws_create(const struct ws_options *options);

/* Listens. ERR_UNAVAILABLE with a sentence when it cannot; it is to be ended like one that could. */
MUST_USE enum status ws_start(struct ws *ws, struct fault *ret_fault);

/* What GET /readyz answers from now on; not ready at first. */
void ws_set_ready(struct ws *ws, bool ready);

/* No new sockets any more. */
void ws_stop_listening(struct ws *ws);

/* Closes the own uv handles; then, outside any callback and with all other handles of the loop closed, ws_destroy ends the
 * library, which takes two turns of the loop (it runs it). `closed` is called for sockets that are left. */
void ws_close_handles(struct ws *ws);
void ws_destroy(struct ws *ws);

/* Sockets that are upgraded and not yet closed. */
size_t ws_n_open(const struct ws *ws);

/* Whether a frame can be written now. Writing while the last one is partly in the library's buffer would corrupt the stream. */
bool ws_can_send(const struct ws_conn *conn);

/* Writes a frame; only when ws_can_send. The frame stays the caller's. */
void ws_send(struct ws_conn *conn, struct frame *frame);

/* A ping, left out when it cannot be written now: bytes that wait are a sign of their own. */
void ws_ping(struct ws_conn *conn);

void ws_want_writable(struct ws_conn *conn);

/* The handshake is over: the socket counts among handshakes_max no more. */
void ws_admitted(struct ws_conn *conn);

/* Stops and resumes reading; what is not read waits in the kernel. */
void ws_set_reading(struct ws_conn *conn, bool reading);

/* Sends a close frame with a code and its reason (a literal), after what has been written; `closed` follows later, never
 * from inside this call. A second call changes nothing. */
void ws_close(struct ws_conn *conn, enum ws_code code, const char *reason);

struct ws_progress {
	uint64_t received;       /* frames and pongs */
	uint64_t acknowledged;   /* bytes, by the peer's kernel */
	uint64_t unacknowledged; /* bytes that the kernel still keeps */
};
void ws_progress(const struct ws_conn *conn, struct ws_progress *ret_progress);

#endif
