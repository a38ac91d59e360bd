/* The listening socket of our own: the library never shares a port, and accepts without bound.
 *
 * What comes faster than the admission allows is refused before the library hears of it. At most ACCEPTS_MAX sockets a turn,
 * so that those that are open are served in between; when descriptors run out, accepting rests for a moment instead of
 * spinning. */
#include "ws_private.h"

#include <errno.h>
#include <libwebsockets.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "log.h"
#include "transport.h"

enum {
	ACCEPTS_MAX = 64,
	ACCEPT_REST_MS = 100,
};

static enum status
resolve(const struct ws_options *options, struct addrinfo **ret_address, struct fault *ret_fault)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC,
				 .ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_NUMERICHOST | AI_PASSIVE};
	char port[16];
	int error;

	snprintf(port, sizeof port, "%d", options->port);
	error = getaddrinfo(options->bind, port, &hints, ret_address);
	if (error != 0)
		return fault_set(ret_fault, ERR_UNAVAILABLE, "listen", NULL,
				 "push.bind is %s, which is no address to listen on: %s.", options->bind,
				 gai_strerror(error));
	return OK;
}

static enum status
listen_failed(const struct ws_options *options, int error, struct fault *ret_fault)
{
	if (error == EADDRINUSE)
		return fault_set(ret_fault, ERR_UNAVAILABLE, "listen", NULL,
				 "Port %d on %s is taken by another program; choose another one with push.port "
				 "(STONECHAT_PUSH_PORT).",
				 options->port, options->bind);
	return fault_set(ret_fault, ERR_UNAVAILABLE, "listen", NULL, "Cannot listen on port %d of %s: %s.",
			 options->port, options->bind, strerror(error));
}

static enum status
open_listener(const struct ws_options *options, int *ret_fd, struct fault *ret_fault)
{
	const int on = 1;
	struct addrinfo *address;
	bool fine;
	int fd;

	TRY(resolve(options, &address, ret_fault));
	fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	fine = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
	       (!options->share_port || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0) &&
	       bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0;
	freeaddrinfo(address);
	if (!fine) {
		int error = errno;

		if (fd >= 0)
			close(fd);
		return listen_failed(options, error, ret_fault);
	}
	*ret_fd = fd;
	return OK;
}

static void on_acceptable(uv_poll_t *poll, int status, int events);

static void
on_rested(uv_timer_t *timer)
{
	struct ws *ws = timer->data;

	if (ws->accepts)
		uv_poll_start(&ws->listen_poll, UV_READABLE, on_acceptable);
}

static void
rest(struct ws *ws, int error)
{
	log_warn("accept_failed", LOG_S("reason", strerror(error)));
	uv_poll_stop(&ws->listen_poll);
	uv_timer_start(&ws->accept_again, on_rested, ACCEPT_REST_MS, 0);
}

/* The library keeps a pointer of ours per connection: set while its handshake is counted. */
static void
adopt(struct ws *ws, int fd)
{
	struct lws *wsi;

	if (!admission_take(&ws->admission, clock_monotonic_ms())) {
		refusals_add(&ws->refusals, fd);
		return;
	}
	transport_prepare(fd);
	wsi = lws_adopt_socket_vhost(ws->vhost, fd); /* closes the descriptor itself when it fails */
	if (wsi != NULL) {
		lws_set_opaque_user_data(wsi, ws);
	} else {
		admission_over(&ws->admission);
		log_warn("adopt_failed", LOG_I("descriptor", fd));
	}
}

void
ws_handshake_over(struct ws *ws, struct lws *wsi)
{
	if (lws_get_opaque_user_data(wsi) == NULL)
		return;
	lws_set_opaque_user_data(wsi, NULL);
	admission_over(&ws->admission);
}

static void
on_acceptable(uv_poll_t *poll, int status, int events)
{
	struct ws *ws = poll->data;

	(void)events;
	for (int i = 0; status == 0 && i < ACCEPTS_MAX; i++) {
		int fd = accept4(ws->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			adopt(ws, fd);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			rest(ws, errno);
			return;
		} else if (errno == EAGAIN) {
			return;
		} /* else: that one peer has gone already (accept(2)) */
	}
}

enum status
ws_listen(struct ws *ws, struct fault *ret_fault)
{
	TRY(open_listener(&ws->options, &ws->listen_fd, ret_fault));
	admission_init(&ws->admission, &ws->options.accepts, ws->options.handshakes_max, clock_monotonic_ms());
	uv_poll_init(ws->options.loop, &ws->listen_poll, ws->listen_fd);
	ws->listen_poll.data = ws;
	uv_timer_init(ws->options.loop, &ws->accept_again);
	ws->accept_again.data = ws;
	ws->accepts = true;
	uv_poll_start(&ws->listen_poll, UV_READABLE, on_acceptable);
	return OK;
}

void
ws_stop_listening(struct ws *ws)
{
	if (!ws->accepts)
		return;
	ws->accepts = false;
	uv_close((uv_handle_t *)&ws->listen_poll, NULL);
	uv_close((uv_handle_t *)&ws->accept_again, NULL);
	close(ws->listen_fd);
	ws->listen_fd = -1;
}
