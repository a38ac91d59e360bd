/* For unit tests in C: a private redis-server on a unix socket in a folder of its own, and a subscriber that speaks just
 * enough of its protocol. Failures end the test through cmocka; waiting is for conditions, with a generous bound. */
#ifndef TESTS_SUPPORT_REDIS_SERVER_H
#define TESTS_SUPPORT_REDIS_SERVER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

enum { WAIT_MS = 20000 };

/* Waits until the condition holds; fails the test after WAIT_MS. */
#define WAIT_FOR(condition)                                                                                            \
	do {                                                                                                           \
		int64_t wait_end = clock_monotonic_ms() + WAIT_MS;                                                     \
		while (!(condition)) {                                                                                 \
			if (clock_monotonic_ms() > wait_end)                                                           \
				fail_msg("waited in vain for: %s", #condition);                                        \
			nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);                                       \
		}                                                                                                      \
	} while (0)

struct redis_server {
	char folder[32];
	char path[64];
	char url[80];
	pid_t pid; /* 0: not running */
};

static inline int
redis_connect(const struct redis_server *server)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s", server->path);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Makes the folder and the names; the server isn't started. */
static inline void
redis_server_init(struct redis_server *server)
{
	*server = (struct redis_server){.folder = "/tmp/stonechat-redis-XXXXXX"};
	assert_non_null(mkdtemp(server->folder));
	snprintf(server->path, sizeof server->path, "%s/redis.sock", server->folder);
	snprintf(server->url, sizeof server->url, "unix:%s", server->path);
}

/* Starts it and waits until it accepts. */
static inline void
redis_server_start(struct redis_server *server)
{
	unlink(server->path);
	server->pid = fork();
	assert_true(server->pid >= 0);
	if (server->pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, STDOUT_FILENO);
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails skips its redis_server_stop */
		execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", server->path, "--save", "",
		       "--appendonly", "no", "--dir", server->folder, (char *)NULL);
		_exit(127);
	}

	int fd;
	WAIT_FOR((fd = redis_connect(server)) >= 0);
	close(fd);
}

static inline void
redis_server_stop(struct redis_server *server)
{
	if (!server->pid)
		return;
	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
	server->pid = 0;
}

static inline void
redis_server_finish(struct redis_server *server)
{
	redis_server_stop(server);
	unlink(server->path);
	rmdir(server->folder);
}

/* A connection in subscriber's state, and the bytes that came on it. */
struct redis_subscriber {
	int fd;
	struct buf in;
	size_t at; /* the next byte to compare */
};

/* Waits until `len` more bytes are there. */
static inline void
redis_subscriber_fill(struct redis_subscriber *subscriber, size_t len)
{
	char chunk[65536];
	struct pollfd ready = {.fd = subscriber->fd, .events = POLLIN};

	while (subscriber->in.len - subscriber->at < len) {
		assert_int_equal(poll(&ready, 1, WAIT_MS), 1);
		ssize_t n = read(subscriber->fd, chunk, sizeof chunk);
		assert_true(n > 0);
		assert_true(buf_append(&subscriber->in, chunk, (size_t)n));
	}
}

/* Waits for the bytes that come next; anything else fails the test. */
static inline void
redis_subscriber_expect(struct redis_subscriber *subscriber, const void *bytes, size_t len)
{
	redis_subscriber_fill(subscriber, len);
	assert_memory_equal(subscriber->in.bytes + subscriber->at, bytes, len);
	subscriber->at += len;
}

/* Subscribes to one more channel and waits for the confirmation; the `n`th of this connection. */
static inline void
redis_subscriber_add(struct redis_subscriber *subscriber, const char *channel, int n)
{
	char text[256];
	int len = snprintf(text, sizeof text, "SUBSCRIBE %s\r\n", channel);

	assert_int_equal(write(subscriber->fd, text, (size_t)len), len);
	len = snprintf(text, sizeof text, "*3\r\n$9\r\nsubscribe\r\n$%zu\r\n%s\r\n:%d\r\n", strlen(channel), channel,
		       n);
	redis_subscriber_expect(subscriber, text, (size_t)len);
}

static inline void
redis_subscriber_init(struct redis_subscriber *subscriber, const struct redis_server *server)
{
	*subscriber = (struct redis_subscriber){.fd = redis_connect(server)};
	assert_true(subscriber->fd >= 0);
}

static inline void
redis_subscriber_finish(struct redis_subscriber *subscriber)
{
	close(subscriber->fd);
	buf_finish(&subscriber->in);
}

/* Waits for the next `len` bytes, whatever they are. */
static inline void
redis_subscriber_take(struct redis_subscriber *subscriber, char *ret_bytes, size_t len)
{
	redis_subscriber_fill(subscriber, len);
	if (subscriber->in.bytes == NULL)
		abort(); /* not after a byte has come */
	memcpy(ret_bytes, subscriber->in.bytes + subscriber->at, len);
	subscriber->at += len;
}

/* Reads from `at` up to a line's end; the line without it, valid until the next read. */
static inline char *
redis_subscriber_line(struct redis_subscriber *subscriber)
{
	static char line[256];
	size_t len = 0;

	while (len < 2 || memcmp(line + len - 2, "\r\n", 2) != 0) {
		assert_true(len < sizeof line - 1);
		redis_subscriber_take(subscriber, line + len, 1);
		len++;
	}
	line[len - 2] = '\0';
	return line;
}

/* The next record, whatever it is: its channel, and its bytes in malloc memory, NUL-terminated. */
static inline char *
redis_subscriber_next(struct redis_subscriber *subscriber, char *ret_channel, size_t channel_size, size_t *ret_len)
{
	redis_subscriber_expect(subscriber, "*3\r\n$7\r\nmessage\r\n", 17);
	redis_subscriber_line(subscriber);
	assert_true((size_t)snprintf(ret_channel, channel_size, "%s", redis_subscriber_line(subscriber)) <
		    channel_size);

	size_t len = (size_t)strtoul(redis_subscriber_line(subscriber) + 1, NULL, 10);
	char *bytes = calloc(1, len + 1);

	redis_subscriber_take(subscriber, bytes, len);
	redis_subscriber_expect(subscriber, "\r\n", 2);
	*ret_len = len;
	return bytes;
}

/* The next thing that comes is this record on this channel. */
static inline void
redis_subscriber_expect_record(struct redis_subscriber *subscriber, const char *channel, const void *bytes, size_t len)
{
	char text[256];
	int text_len = snprintf(text, sizeof text, "*3\r\n$7\r\nmessage\r\n$%zu\r\n%s\r\n$%zu\r\n", strlen(channel),
				channel, len);

	redis_subscriber_expect(subscriber, text, (size_t)text_len);
	redis_subscriber_expect(subscriber, bytes, len);
	redis_subscriber_expect(subscriber, "\r\n", 2);
}

/* Whether nothing has come that was not expected yet, as far as can be told now. */
static inline bool
redis_subscriber_is_empty(const struct redis_subscriber *subscriber)
{
	struct pollfd ready = {.fd = subscriber->fd, .events = POLLIN};

	return subscriber->in.len == subscriber->at && poll(&ready, 1, 0) == 0;
}

#endif
