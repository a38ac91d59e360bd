/* libwebsockets on our loop: its callback, frames in and out, closing.
 *
 * Sockets are closed from a timer, a few at a time: the library may not lose a socket under a callback of its own, and
 * thousands of closes at once would stall everybody else. */
#include "ws_private.h"

#include <assert.h>
#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "log.h"
#include "metrics.h"
#include "transport.h"
#include "upgrade.h"

enum {
	RX_BYTES = 512,
	KEPT_MESSAGE_BYTES = 1024, /* a larger buffer is given back after its frame */
	PIECES_MAX = 1024,         /* a frame in a thousand empty fragments is a way to keep us busy */
	CLOSES_MAX = 64,           /* a turn */
	HANDSHAKE_S = 3,
	HANDSHAKE_IDLE_S = 4,
	KEEPALIVE_S = 2,
	HANDSHAKES_MAX = 1000,
	HEADERS_BYTES = 16384, /* of a request: all that lighttpd passes on */
};

_Static_assert((int)FRAME_HEADROOM >= (int)LWS_PRE, "room for the library's header");

static void on_closer(uv_timer_t *timer);

/* Out. */

bool
ws_can_send(const struct ws_conn *conn)
{
	return !conn->close_asked && !conn->broken && !lws_partial_buffered(conn->wsi);
}

static void
queue_close(struct ws_conn *conn)
{
	DL_APPEND(conn->ws->closing, conn);
	if (!uv_is_active((uv_handle_t *)&conn->ws->closer))
		uv_timer_start(&conn->ws->closer, on_closer, 0, 0);
}

static void
write_failed(struct ws_conn *conn)
{
	conn->broken = true;
	conn->close_asked = true;
	if (!conn->in_receive)
		queue_close(conn);
}

void
ws_send(struct ws_conn *conn, struct frame *frame)
{
	assert(ws_can_send(conn));
	if (lws_write(conn->wsi, frame->bytes, frame->len, LWS_WRITE_TEXT) < 0) {
		write_failed(conn);
		return;
	}
	metrics_add(METRIC_FRAMES_OUT, 1);
}

void
ws_ping(struct ws_conn *conn)
{
	unsigned char bytes[LWS_PRE + 4] = {0};

	if (!ws_can_send(conn))
		return;
	memcpy(bytes + LWS_PRE, "ping", 4); /* the library does not tell of a pong without a payload */
	if (lws_write(conn->wsi, bytes + LWS_PRE, 4, LWS_WRITE_PING) < 0)
		write_failed(conn);
}

void
ws_want_writable(struct ws_conn *conn)
{
	if (!conn->close_asked)
		lws_callback_on_writable(conn->wsi);
}

void
ws_admitted(struct ws_conn *conn)
{
	if (!conn->close_asked)
		ws_handshake_over(conn->ws, conn->wsi);
}

void
ws_set_reading(struct ws_conn *conn, bool reading)
{
	if (!conn->close_asked)
		lws_rx_flow_control(conn->wsi, reading ? 1 : 0);
}

void
ws_progress(const struct ws_conn *conn, struct ws_progress *ret_progress)
{
	ret_progress->received = conn->received;
	transport_count(lws_get_socket_fd(conn->wsi), &ret_progress->acknowledged, &ret_progress->unacknowledged);
}

/* Closing. */

/* While a frame is partly in the library's buffer, a close frame of its making would land inside it: one of ours is appended
 * as it stands (RFC 6455 5.5.1). */
static void
append_close_frame(struct ws_conn *conn)
{
	unsigned char bytes[LWS_PRE + 128] = {0};
	unsigned char *at = bytes + LWS_PRE;
	size_t reason_len = strlen(conn->reason);

	assert(reason_len <= 100);
	at[0] = 0x88;
	at[1] = (unsigned char)(2 + reason_len);
	at[2] = (unsigned char)((unsigned)conn->code >> 8);
	at[3] = (unsigned char)((unsigned)conn->code & 0xff);
	memcpy(at + 4, conn->reason, reason_len);
	lws_write(conn->wsi, at, 4 + reason_len, LWS_WRITE_HTTP);
}

static void
prepare_close(struct ws_conn *conn)
{
	conn->close_sent = true;
	if (conn->broken)
		return;
	lws_rx_flow_control(conn->wsi, 1); /* the peer's close frame is read too, or the socket lingers for 5 s */
	if (lws_partial_buffered(conn->wsi))
		append_close_frame(conn);
	else
		lws_close_reason(conn->wsi, (enum lws_close_status)conn->code, (unsigned char *)(uintptr_t)conn->reason,
				 strlen(conn->reason));
}

static void
on_closer(uv_timer_t *timer)
{
	struct ws *ws = timer->data;

	for (int i = 0; i < CLOSES_MAX && ws->closing != NULL; i++) {
		struct ws_conn *conn = ws->closing;
		struct lws *wsi = conn->wsi;

		DL_DELETE(ws->closing, conn);
		prepare_close(conn);
		lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC); /* may free the conn */
	}
	if (ws->closing != NULL)
		uv_timer_start(&ws->closer, on_closer, 1, 0);
	lws_cancel_service(ws->context); /* else its timer is not set anew for the timeouts of these closes */
}

void
ws_close(struct ws_conn *conn, enum ws_code code, const char *reason)
{
	if (conn->close_asked)
		return;
	conn->close_asked = true;
	conn->code = code;
	conn->reason = reason;
	if (!conn->in_receive)
		queue_close(conn);
}

/* In. */

static const struct ws_handlers *
handlers(const struct ws_conn *conn)
{
	return conn->ws->options.handlers;
}

static void
take_piece(struct ws_conn *conn, const char *bytes, size_t len)
{
	struct lws *wsi = conn->wsi;
	size_t rest = lws_remaining_packet_payload(wsi);
	bool whole = rest == 0 && lws_is_final_fragment(wsi);

	if (lws_frame_is_binary(wsi)) {
		handlers(conn)->violated(conn->owner, WS_UNSUPPORTED, "binary");
	} else if (conn->message.len + len + rest > conn->ws->options.frame_bytes || ++conn->n_pieces > PIECES_MAX) {
		handlers(conn)->violated(conn->owner, WS_TOO_BIG, "frame_too_big");
	} else if (whole && conn->message.len == 0) {
		conn->n_pieces = 0;
		handlers(conn)->received(conn->owner, bytes, len);
	} else if (!buf_append(&conn->message, bytes, len)) {
		handlers(conn)->violated(conn->owner, WS_TOO_BIG, "frame_too_big");
	} else if (whole) {
		conn->n_pieces = 0;
		handlers(conn)->received(conn->owner, conn->message.bytes, conn->message.len);
		if (conn->message.capacity > KEPT_MESSAGE_BYTES)
			buf_finish(&conn->message);
		else
			buf_clear(&conn->message);
	}
}

static int
on_receive(struct ws_conn *conn, const char *bytes, size_t len)
{
	conn->received++;
	if (conn->close_asked)
		return 0;
	conn->in_receive = true;
	take_piece(conn, len > 0 ? bytes : "", len);
	conn->in_receive = false;
	if (!conn->close_asked)
		return 0;
	prepare_close(conn);
	return -1;
}

static int
on_established(struct ws *ws, struct lws *wsi, struct ws_conn **slot)
{
	struct ws_conn *conn = calloc(1, sizeof *conn);

	if (conn == NULL)
		abort();
	conn->ws = ws;
	conn->wsi = wsi;
	buf_init(&conn->message, ws->options.frame_bytes);
	*slot = conn;
	ws->n_open++;
	conn->owner = ws->options.handlers->opened(ws->options.context, conn);
	return 0;
}

static void
on_closed(struct ws *ws, struct ws_conn **slot)
{
	struct ws_conn *conn = *slot;

	*slot = NULL;
	ws->n_open--;
	if (conn->close_asked && !conn->close_sent)
		DL_DELETE(ws->closing, conn);
	conn->close_asked = true; /* nothing may use the socket any more */
	handlers(conn)->closed(conn->owner);
	buf_finish(&conn->message);
	free(conn);
}

/* The one callback of the library. `user` is room for a pointer, zeroed by it. */
static int
on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct ws *ws = lws_context_user(lws_get_context(wsi));
	struct ws_conn **slot = user;
	struct ws_conn *conn;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wswitch-enum" /* a hundred reasons that don't concern us */
	switch (reason) {
	case LWS_CALLBACK_HTTP:
		return ws_http_request(ws, wsi, in);
	case LWS_CALLBACK_RAW_ADOPT: /* CONNECT or an unknown method: else a connection without any limit */
		return ws_http_unknown(wsi);
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
		return ws_http_upgrade(ws, wsi);
	case LWS_CALLBACK_ESTABLISHED:
		return on_established(ws, wsi, slot);
	case LWS_CALLBACK_WSI_DESTROY:
		ws_handshake_over(ws, wsi);
		return 0;
	default:
		break;
	}
	conn = slot == NULL ? NULL : *slot;
	if (conn == NULL)
		return 0;
	switch (reason) {
	case LWS_CALLBACK_RECEIVE:
		return on_receive(conn, in, len);
	case LWS_CALLBACK_RECEIVE_PONG:
		conn->received++;
		return 0;
	case LWS_CALLBACK_SERVER_WRITEABLE:
		if (!conn->close_asked)
			handlers(conn)->writable(conn->owner);
		return 0;
	case LWS_CALLBACK_CLOSED:
		on_closed(ws, slot);
		return 0;
	default:
		return 0;
	}
#pragma GCC diagnostic pop
}

/* Beginning and end. */

static const struct lws_protocols protocols[] = {
	{
		.name = UPGRADE_SUBPROTOCOL,
		.callback = on_event,
		.per_session_data_size = sizeof(struct ws_conn *),
		.rx_buffer_size = RX_BYTES,
		.tx_packet_size = 65536, /* else each write is cut at the size above and the rest copied */
	},
	{0},
};

static void
on_log(int level, const char *line)
{
	char text[256];
	size_t len = strcspn(line, "\n");

	if (len >= sizeof text)
		len = sizeof text - 1;
	memcpy(text, line, len);
	text[len] = '\0';
	if (level == LLL_ERR)
		log_error("libwebsockets", LOG_S("text", text));
	else
		log_warn("libwebsockets", LOG_S("text", text));
}

static enum status
start_library(struct ws *ws, struct fault *ret_fault)
{
	static const lws_retry_bo_t no_policy = {0}; /* the default one sets a timer per socket */
	void *loops[1] = {ws->options.loop};
	struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN_SERVER,
		.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
			   LWS_SERVER_OPTION_VALIDATE_UTF8 |
			   LWS_SERVER_OPTION_FALLBACK_TO_APPLY_LISTEN_ACCEPT_CONFIG, /* tells us of unknown methods */
		.foreign_loops = loops,
		.pcontext = &ws->context,
		.protocols = protocols,
		.headers = &ws_http_headers,
		.alpn = "http/1.1",
		.retry_and_idle_policy = &no_policy,
		.timeout_secs = HANDSHAKE_S,
		.timeout_secs_ah_idle = HANDSHAKE_IDLE_S,
		.keepalive_timeout = KEEPALIVE_S,
		.max_http_header_pool2 = HANDSHAKES_MAX,
		.max_http_header_data2 = HEADERS_BYTES,
		.user = ws,
	};

	lws_set_log_level(LLL_ERR | LLL_WARN, on_log);
	ws->context = lws_create_context(&info);
	if (ws->context == NULL)
		return fault_set(
			ret_fault, ERR_UNAVAILABLE, "libwebsockets", NULL,
			"libwebsockets did not start; is its libuv plugin (libwebsockets-evlib-uv) installed?");
	ws->vhost = lws_create_vhost(ws->context, &info);
	if (ws->vhost == NULL)
		return fault_set(ret_fault, ERR_INTERNAL, "libwebsockets", NULL, "libwebsockets made no virtual host.");
	return OK;
}

struct ws *
ws_create(const struct ws_options *options)
{
	struct ws *ws = calloc(1, sizeof *ws);

	if (ws == NULL)
		abort();
	ws->options = *options;
	ws->listen_fd = -1;
	uv_timer_init(options->loop, &ws->closer);
	ws->closer.data = ws;
	refusals_init(&ws->refusals, options->loop);
	return ws;
}

enum status
ws_start(struct ws *ws, struct fault *ret_fault)
{
	TRY(start_library(ws, ret_fault));
	return ws_listen(ws, ret_fault);
}

void
ws_close_handles(struct ws *ws)
{
	ws_stop_listening(ws);
	refusals_close(&ws->refusals);
	uv_close((uv_handle_t *)&ws->closer, NULL);
}

void
ws_destroy(struct ws *ws)
{
	uv_loop_t *loop = ws->options.loop;

	/* The first call closes, the second frees; both need the loop to run out in between. */
	for (int i = 0; i < 2; i++) {
		if (ws->context != NULL)
			lws_context_destroy(ws->context);
		uv_run(loop, UV_RUN_DEFAULT);
	}
	free(ws);
}

void
ws_set_ready(struct ws *ws, bool ready)
{
	ws->ready = ready;
}

size_t
ws_n_open(const struct ws *ws)
{
	return ws->n_open;
}
