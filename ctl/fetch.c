/* HTTP/1.0 without a kept connection: the end of the stream is the end of the answer. */
#include "fetch.h"

#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

enum { ANSWER_MAX_BYTES = 1024 * 1024 };

static const char *
reachable(const char *address)
{
	if (strcmp(address, "0.0.0.0") == 0)
		return "127.0.0.1";
	return strcmp(address, "::") == 0 ? "::1" : address;
}

static int
connect_to(const char *address, int64_t port)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *info;
	char service[8];

	snprintf(service, sizeof service, "%d", (int)port);
	if (getaddrinfo(reachable(address), service, &hints, &info) != 0)
		return -1;

	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, info->ai_addr, info->ai_addrlen) != 0 && errno != EINPROGRESS) {
		close(fd);
		fd = -1;
	}
	freeaddrinfo(info);
	return fd;
}

static bool
wait_for(int fd, short events, int64_t deadline_ms)
{
	struct pollfd wait = {.fd = fd, .events = events};
	int64_t left_ms = deadline_ms - clock_monotonic_ms();

	return left_ms > 0 && poll(&wait, 1, (int)left_ms) == 1;
}

/* False when the end did not come in time. */
static bool
read_all(int fd, int64_t deadline_ms, struct buf *answer)
{
	while (wait_for(fd, POLLIN, deadline_ms)) {
		char bytes[4096];
		ssize_t n = recv(fd, bytes, sizeof bytes, 0);

		if (n == 0)
			return true;
		if (n < 0 || !buf_append(answer, bytes, (size_t)n))
			return false;
	}
	return false;
}

/* The status, once the body has been appended; 0 when it is no answer. */
static int
take_apart(const struct buf *answer, struct buf *body)
{
	const char *text = answer->len > 0 ? answer->bytes : "";
	const char *blank = strstr(text, "\r\n\r\n");

	if (blank == NULL || strncmp(text, "HTTP/1.", 7) != 0 || strlen(text) < 12)
		return 0;
	buf_append_text(body, blank + 4);
	return (int)strtoimax(text + 9, NULL, 10);
}

int
fetch(const char *address, int64_t port, const char *path, int timeout_ms, struct buf *body)
{
	int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
	char request[256];
	struct buf answer;
	int status = 0;
	CLEANUP_FD int fd = connect_to(address, port);
	int len = snprintf(request, sizeof request, "GET %s HTTP/1.0\r\n\r\n", path);

	if (fd < 0 || !wait_for(fd, POLLOUT, deadline_ms) || send(fd, request, (size_t)len, MSG_NOSIGNAL) != len)
		return 0;
	buf_init(&answer, ANSWER_MAX_BYTES);
	if (read_all(fd, deadline_ms, &answer))
		status = take_apart(&answer, body);
	buf_finish(&answer);
	return status;
}
