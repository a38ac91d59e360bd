/* A responder for one scraper at a time: reads the head of a request for at most a second, answers, closes. It is bound
 * to loopback; what should see the metrics from elsewhere goes through a proxy. */
#include "metrics_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/thread.h"
#include "metrics.h"

enum {
	HEAD_MAX_BYTES = 4096,
	HEAD_MAX_MS = 1000, /* a client that sends nothing would keep the scraper out */
	ANSWER_MAX_MS = 5000,
	BACKLOG = 16,
};

struct metrics_http {
	int listen_fd;
	int stop_fd; /* an eventfd, written once by metrics_http_stop */
	pthread_t thread;
};

/* Whether `fd` is ready before `deadline_ms` and before the end of the server. */
static bool
wait_for(const struct metrics_http *server, int fd, short events, int64_t deadline_ms)
{
	struct pollfd fds[] = {{.fd = fd, .events = events}, {.fd = server->stop_fd, .events = POLLIN}};
	int64_t left_ms = deadline_ms - clock_monotonic_ms();

	return left_ms > 0 && poll(fds, 2, (int)left_ms) > 0 && fds[1].revents == 0;
}

static bool
read_head(const struct metrics_http *server, int fd, struct buf *head)
{
	int64_t deadline_ms = clock_monotonic_ms() + HEAD_MAX_MS;

	while (wait_for(server, fd, POLLIN, deadline_ms)) {
		char bytes[1024];
		ssize_t len = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);

		if (len <= 0 || !buf_append(head, bytes, (size_t)len))
			return false;
		if (strstr(head->bytes, "\r\n\r\n") != NULL)
			return true;
	}
	return false;
}

static void
send_all(const struct metrics_http *server, int fd, const struct buf *answer)
{
	int64_t deadline_ms = clock_monotonic_ms() + ANSWER_MAX_MS;
	size_t sent = 0;

	while (sent < answer->len && wait_for(server, fd, POLLOUT, deadline_ms)) {
		ssize_t len = send(fd, answer->bytes + sent, answer->len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (len < 0 && errno != EAGAIN)
			return;
		sent += len > 0 ? (size_t)len : 0;
	}
}

static bool
asks_for(const char *head, const char *start)
{
	size_t len = strlen(start);

	return strncmp(head, start, len) == 0 && (head[len] == ' ' || head[len] == '?');
}

static void
answer_request(const struct metrics_http *server, int fd, const char *head)
{
	struct buf body, answer;
	const char *status = "200 OK";

	buf_init(&body, 0);
	buf_init(&answer, 0);
	if (asks_for(head, "GET /metrics")) {
		metrics_format(&body);
	} else {
		status = "404 Not Found";
		buf_append_text(&body, "Only GET /metrics is answered here.\n");
	}
	buf_printf(&answer,
		   "HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: %zu\r\n"
		   "Connection: close\r\n\r\n%s",
		   status, body.len, body.bytes);
	send_all(server, fd, &answer);
	buf_finish(&body);
	buf_finish(&answer);
}

static void
serve(const struct metrics_http *server, int fd)
{
	struct buf head;

	buf_init(&head, HEAD_MAX_BYTES);
	if (read_head(server, fd, &head))
		answer_request(server, fd, head.bytes);
	buf_finish(&head);
}

static void *
run(void *argument)
{
	const struct metrics_http *server = argument;
	struct pollfd fds[] = {{.fd = server->listen_fd, .events = POLLIN}, {.fd = server->stop_fd, .events = POLLIN}};

	for (;;) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents != 0)
			return NULL;

		CLEANUP_FD int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0)
			serve(server, fd);
		else if (errno == EMFILE || errno == ENFILE)
			poll(&fds[1], 1, 100); /* the connection stays and would be told of again at once */
	}
}

static int
listen_on(int64_t port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	if (bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	cleanup_fd(&fd);
	return -1;
}

enum status
metrics_http_start(int64_t port, struct metrics_http **ret_server, struct fault *ret_fault)
{
	struct metrics_http *server;
	int stop_fd, listen_fd = listen_on(port);

	if (listen_fd < 0)
		return fault_set(ret_fault, ERR_UNAVAILABLE, "port_in_use", NULL,
				 "The metrics can't be shown on port %" PRId64 " (%s): choose another metrics.port.",
				 port, strerror(errno));
	stop_fd = eventfd(0, EFD_CLOEXEC);
	server = malloc(sizeof *server);
	if (stop_fd < 0 || server == NULL)
		abort();
	*server = (struct metrics_http){.listen_fd = listen_fd, .stop_fd = stop_fd};
	server->thread = thread_start("metrics", run, server);
	*ret_server = server;
	return OK;
}

void
metrics_http_stop(struct metrics_http *server)
{
	if (server == NULL)
		return;
	eventfd_write(server->stop_fd, 1);
	pthread_join(server->thread, NULL);
	close(server->listen_fd);
	close(server->stop_fd);
	free(server);
}
