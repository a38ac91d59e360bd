/* A GET by a plain socket, with one deadline for all of it. */
#include "probe.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"

static int
connect_to(const char *address, int64_t port)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *info;
	char service[8];

	snprintf(service, sizeof service, "%d", (int)port);
	if (getaddrinfo(address, service, &hints, &info) != 0)
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

/* What it has read says so: 200, or 503 because too many connect at once, which only somebody who is alive and well says. */
static bool
is_well(const char *answer)
{
	return strncmp(answer, "HTTP/1.", 7) == 0 &&
	       (strncmp(answer + 8, " 200", 4) == 0 || strstr(answer, "\"server_busy\"") != NULL);
}

bool
probe_http(const char *address, int64_t port, const char *path, int timeout_ms)
{
	enum { ANSWER_LEN = 1023 };
	int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
	char request[256], answer[ANSWER_LEN + 1] = "";
	size_t have = 0;
	CLEANUP_FD int fd = connect_to(address, port);
	int len = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path,
			   address);

	if (fd < 0 || len < 0 || (size_t)len >= sizeof request || !wait_for(fd, POLLOUT, deadline_ms) ||
	    send(fd, request, (size_t)len, MSG_NOSIGNAL) != len)
		return false;
	/* Up to the end of a JSON body at most: the connection may stay open. */
	while (!is_well(answer) && have < ANSWER_LEN && strchr(answer, '}') == NULL &&
	       wait_for(fd, POLLIN, deadline_ms)) {
		ssize_t n = recv(fd, answer + have, ANSWER_LEN - have, 0);

		if (n <= 0)
			break;
		have += (size_t)n;
		answer[have] = '\0';
	}
	return is_well(answer);
}
