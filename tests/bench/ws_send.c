/* Acknowledged sends over one WebSocket: keeps WINDOW message.send frames in flight until COUNT are acknowledged with
 * ok: true, and prints sends per second and the time of a send at p50 and p99. A raw client on a blocking socket, so that the
 * client costs as little as can be.
 *
 * usage: ws_send HOST PORT TOKEN CONVERSATION COUNT WINDOW */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER_BYTES = 1 << 20, OUT_BYTES = 1 << 16 };

static char buffer[BUFFER_BYTES + 1];
static size_t filled;

static void
fail(const char *what)
{
	fprintf(stderr, "ws_send: %s\n", what);
	exit(1);
}

static double
now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n <= 0)
			fail("the connection was closed while writing");
		bytes += n;
		len -= (size_t)n;
	}
}

/* A masked text frame with an all-zero mask: RFC 6455 5.2 lets the client choose any. */
static size_t
put_frame(char *out, const char *text, size_t len)
{
	size_t at = 0;

	out[at++] = (char)0x81;
	if (len < 126) {
		out[at++] = (char)(0x80 | len);
	} else {
		out[at++] = (char)(0x80 | 126);
		out[at++] = (char)(len >> 8);
		out[at++] = (char)(len & 0xff);
	}
	memset(out + at, 0, 4);
	at += 4;
	memcpy(out + at, text, len);
	return at + len;
}

static void
read_some(int fd)
{
	ssize_t n = read(fd, buffer + filled, BUFFER_BYTES - filled);

	if (n <= 0)
		fail("the connection was closed");
	filled += (size_t)n;
	buffer[filled] = '\0';
}

/* Takes one whole frame off the buffer; its payload is copied into `text`. */
static bool
take_frame(char *text, size_t size)
{
	size_t head = 2, len;
	unsigned char *b = (unsigned char *)buffer;

	if (filled < 2)
		return false;
	len = b[1] & 0x7f;
	if (len == 126) {
		head = 4;
		if (filled < head)
			return false;
		len = (size_t)b[2] << 8 | b[3];
	} else if (len == 127) {
		head = 10;
		if (filled < head)
			return false;
		len = (size_t)b[6] << 24 | (size_t)b[7] << 16 | (size_t)b[8] << 8 | b[9];
	}
	if (filled < head + len || len >= size)
		return len >= size ? (fail("a frame is too long"), false) : false;
	if ((b[0] & 0x0f) == 8)
		fail("the server closed");
	memcpy(text, buffer + head, len);
	text[len] = '\0';
	memmove(buffer, buffer + head + len, filled - head - len);
	filled -= head + len;
	return true;
}

static int
connect_to(const char *host, const char *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)strtol(port, NULL, 10))};
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	char request[512];
	char *end;

	inet_pton(AF_INET, host, &address.sin_addr);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
		fail("cannot connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	snprintf(request, sizeof request,
		 "GET /ws HTTP/1.1\r\nHost: %s:%s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
		 "Sec-WebSocket-Protocol: stonechat.v1\r\n\r\n",
		 host, port);
	write_all(fd, request, strlen(request));
	do
		read_some(fd);
	while (!(end = strstr(buffer, "\r\n\r\n")));
	if (!strstr(buffer, " 101 "))
		fail("the upgrade was refused");
	filled -= (size_t)(end + 4 - buffer);
	memmove(buffer, end + 4, filled);
	return fd;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Replies in a frame: each object that begins with reply_to; anything but ok: true ends the run. */
static long
count_replies(const char *text, const double *sent, double *took, long done)
{
	for (const char *at = text; (at = strstr(at, "\"reply_to\":")); at++) {
		long id = strtol(at + 11, NULL, 10);

		if (id < 2)
			continue;
		if (strstr(text, "\"ok\":false"))
			fail(text);
		took[done++] = now_s() - sent[id - 2];
	}
	return done;
}

int
main(int argc, char **argv)
{
	static char text[BUFFER_BYTES], out[OUT_BYTES], frame[1024];
	long count, window, sent_n = 0, done = 0;
	double *sent, *took, start;
	int fd;

	if (argc != 7)
		fail("usage: ws_send HOST PORT TOKEN CONVERSATION COUNT WINDOW");
	count = strtol(argv[5], NULL, 10);
	window = strtol(argv[6], NULL, 10);
	sent = calloc((size_t)count, sizeof *sent);
	took = calloc((size_t)count, sizeof *took);
	fd = connect_to(argv[1], argv[2]);
	snprintf(frame, sizeof frame, "{\"id\":1,\"type\":\"auth\",\"token\":\"%s\"}", argv[3]);
	write_all(fd, out, put_frame(out, frame, strlen(frame)));
	while (!take_frame(text, sizeof text))
		read_some(fd);
	if (!strstr(text, "\"hello\""))
		fail(text);
	start = now_s();
	while (done < count) {
		size_t at = 0;

		for (; sent_n < count && sent_n - done < window && at < OUT_BYTES - sizeof frame; sent_n++) {
			snprintf(
				frame, sizeof frame,
				"{\"id\":%ld,\"type\":\"message.send\",\"conversation_id\":\"%s\",\"content\":\"message %ld of a run\"}",
				sent_n + 2, argv[4], sent_n);
			at += put_frame(out + at, frame, strlen(frame));
			sent[sent_n] = now_s();
		}
		write_all(fd, out, at);
		read_some(fd);
		while (take_frame(text, sizeof text))
			done = count_replies(text, sent, took, done);
	}
	start = now_s() - start;
	qsort(took, (size_t)count, sizeof *took, compare);
	printf("{\"sends\": %ld, \"window\": %ld, \"per_second\": %.0f, \"p50_ms\": %.2f, \"p99_ms\": %.2f}\n", count,
	       window, (double)count / start, took[count / 2] * 1e3, took[count * 99 / 100] * 1e3);
	close(fd);
	return 0;
}
