/* A TCP proxy that is a way of some length: what goes through it, in either direction, arrives so much later. For measuring what
 * depends on the distance between two processes (support/delay.py starts it).
 *
 *   bench.delay <listen port> <target> <microseconds one way>       target: a port on 127.0.0.1, or the path of a unix socket
 *
 * One thread; chunks wait in order with the time at which they are due. A bandwidth it has not. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { WAYS_MAX = 1024, CHUNK_BYTES = 65536 };

struct chunk {
	struct chunk *next;
	int64_t due_ns;
	size_t len;
	char bytes[];
};

/* One direction of a connection; its other one is at the index ^ 1. */
struct way {
	int from, to;
	bool ended; /* nothing more comes from there */
	struct chunk *first, **end;
};

static struct way ways[WAYS_MAX];
static size_t n_ways;
static int64_t delay_ns;
static const char *target;

static int64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000 + now.tv_nsec;
}

static void
give_up(const char *what)
{
	perror(what);
	exit(1);
}

static int
connect_to_target(void)
{
	struct sockaddr_in tcp = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	bool is_path = target[0] == '/';
	int fd = socket(is_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	tcp.sin_port = htons((uint16_t)strtol(target, NULL, 10));
	snprintf(local.sun_path, sizeof local.sun_path, "%s", target);
	if (connect(fd, is_path ? (struct sockaddr *)&local : (struct sockaddr *)&tcp,
		    is_path ? sizeof local : sizeof tcp) == 0)
		return fd;
	close(fd);
	return -1;
}

static void
accept_one(int listener)
{
	int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC), server = connect_to_target();
	int on = 1;

	if (client < 0 || server < 0 || n_ways + 2 > WAYS_MAX) {
		if (client >= 0)
			close(client);
		if (server >= 0)
			close(server);
		return;
	}
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* of a unix socket it does nothing */
	ways[n_ways] = (struct way){.from = client, .to = server};
	ways[n_ways + 1] = (struct way){.from = server, .to = client};
	ways[n_ways].end = &ways[n_ways].first;
	ways[n_ways + 1].end = &ways[n_ways + 1].first;
	n_ways += 2;
}

static void
take_in(struct way *way)
{
	struct chunk *chunk = malloc(sizeof *chunk + CHUNK_BYTES);
	ssize_t n;

	if (!chunk)
		abort();
	n = recv(way->from, chunk->bytes, CHUNK_BYTES, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN) {
		free(chunk);
		return;
	}
	way->ended = n <= 0;
	chunk = realloc(chunk, sizeof *chunk + (n > 0 ? (size_t)n : 0));
	if (!chunk)
		abort();
	chunk->next = NULL;
	chunk->due_ns = now_ns() + delay_ns;
	chunk->len = n > 0 ? (size_t)n : 0; /* 0: the end, which travels too */
	*way->end = chunk;
	way->end = &chunk->next;
}

static void
send_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		if (n <= 0)
			return; /* the other side has gone: its own end is on its way */
		bytes += n;
		len -= (size_t)n;
	}
}

/* Sends what is due; returns when the next is, or INT64_MAX. */
static int64_t
let_out(struct way *way, int64_t now)
{
	while (way->first && way->first->due_ns <= now) {
		struct chunk *chunk = way->first;

		if (chunk->len > 0)
			send_all(way->to, chunk->bytes, chunk->len);
		else
			shutdown(way->to, SHUT_WR);
		way->first = chunk->next;
		if (!way->first)
			way->end = &way->first;
		free(chunk);
	}
	return way->first ? way->first->due_ns : INT64_MAX;
}

/* Forgets the connections of which both directions have ended; the last one takes the place of one that goes. */
static void
forget_ended(void)
{
	for (size_t i = 0; i < n_ways; i += 2) {
		struct way *there = &ways[i], *back = &ways[i + 1];

		if (!there->ended || !back->ended || there->first || back->first)
			continue;
		close(there->from);
		close(there->to);
		n_ways -= 2;
		for (size_t k = 0; k < 2 && i < n_ways; k++) {
			ways[i + k] = ways[n_ways + k];
			if (!ways[i + k].first)
				ways[i + k].end = &ways[i + k].first;
		}
		i -= i < n_ways ? 2 : 0;
	}
}

static void
turn(int listener)
{
	static struct pollfd fds[WAYS_MAX + 1];
	int64_t now = now_ns(), due = INT64_MAX;

	fds[0] = (struct pollfd){.fd = listener, .events = POLLIN};
	for (size_t i = 0; i < n_ways; i++) {
		int64_t next = let_out(&ways[i], now);

		due = next < due ? next : due;
		fds[i + 1] = (struct pollfd){.fd = ways[i].ended ? -1 : ways[i].from, .events = POLLIN};
	}

	size_t n_polled = n_ways;
	int64_t wait_ns = due == INT64_MAX ? 0 : due > now ? due - now : 1;
	struct timespec wait = {wait_ns / 1000000000, wait_ns % 1000000000};
	if (ppoll(fds, n_polled + 1, due == INT64_MAX ? NULL : &wait, NULL) < 0 && errno != EINTR)
		give_up("ppoll");
	for (size_t i = 0; i < n_polled; i++)
		if (fds[i + 1].revents)
			take_in(&ways[i]);
	if (fds[0].revents)
		accept_one(listener);
	forget_ended();
}

int
main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (argc != 4) {
		fprintf(stderr, "usage: %s <listen port> <target port or path> <microseconds one way>\n", argv[0]);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_TIMERSLACK, 1UL); /* else each wait is up to 50 us longer */
	target = argv[2];
	delay_ns = strtol(argv[3], NULL, 10) * 1000;
	address.sin_port = htons((uint16_t)strtol(argv[1], NULL, 10));
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 128) != 0)
		give_up("listen");
	for (;;)
		turn(listener);
}
