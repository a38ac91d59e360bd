/* What ws.c, ws_accept.c and ws_http.c share, and nobody else sees. */
#ifndef PUSH_WS_PRIVATE_H
#define PUSH_WS_PRIVATE_H

#include "admission.h"
#include "base/buf.h"
#include "refusals.h"
#include "ws.h"

struct lws;
struct lws_context;
struct lws_protocol_vhost_options;
struct lws_vhost;

struct ws {
	struct ws_options options;
	struct lws_context *context;
	struct lws_vhost *vhost;
	size_t n_open;
	bool ready;

	int listen_fd;
	uv_poll_t listen_poll;
	uv_timer_t accept_again; /* after running out of descriptors */
	bool accepts;
	struct admission admission;
	struct refusals refusals;

	uv_timer_t closer;
	struct ws_conn *closing; /* those that wait for their close frame */
};

struct ws_conn {
	struct ws *ws;
	struct lws *wsi;
	void *owner;
	struct buf message; /* pieces of a frame that has not come to its end */
	size_t n_pieces;
	uint64_t received;
	bool in_receive; /* inside the library's receive callback: it must return before anything is freed */
	bool close_asked, close_sent;
	bool broken; /* a write failed: no close frame can be sent */
	enum ws_code code;
	const char *reason;
	struct ws_conn *prev, *next; /* in ws->closing */
};

/* ws_accept.c */
MUST_USE enum status ws_listen(struct ws *ws, struct fault *ret_fault);
/* Ends the handshake of a connection, if it is not over yet. */
void ws_handshake_over(struct ws *ws, struct lws *wsi);

/* ws_http.c: 0, or what the library's callback returns to end the connection. */
int ws_http_request(struct ws *ws, struct lws *wsi, const char *path);
int ws_http_unknown(struct lws *wsi); /* a method that the library doesn't know */
int ws_http_upgrade(struct ws *ws, struct lws *wsi);
/* What the library adds to each answer that it writes itself. */
extern const struct lws_protocol_vhost_options ws_http_headers;

#endif
