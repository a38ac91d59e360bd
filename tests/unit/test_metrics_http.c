/* metrics_http: answers a scraper, survives rude ones, and ends at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "metrics_http.h"

static struct sockaddr_in
loopback(int64_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

/* A port that was free a moment ago. */
static int64_t
free_port(void)
{
	struct sockaddr_in address = loopback(0);
	socklen_t len = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	close(fd);
	return ntohs(address.sin_port);
}

static int
connect_to(int64_t port)
{
	struct sockaddr_in address = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

/* Sends a request (NULL: nothing) and reads until the server closes. */
static void
exchange(int64_t port, const char *request, struct buf *ret_answer)
{
	int fd = connect_to(port);
	ssize_t len;

	buf_init(ret_answer, 0);
	if (request != NULL)
		assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
	while ((len = read(fd, buf_reserve(ret_answer, 4096), 4096)) > 0)
		buf_advance(ret_answer, (size_t)len);
	close(fd);
}

struct server {
	int64_t port;
	struct metrics_http *http;
};

static int
start(void **state)
{
	static struct server server;

	server.port = free_port();
	*state = &server;
	return metrics_http_start(server.port, &server.http, NULL) == OK ? 0 : -1;
}

static int
stop(void **state)
{
	metrics_http_stop(((struct server *)*state)->http);
	return 0;
}

static void
metrics_are_shown(void **state)
{
	const struct server *server = *state;
	struct buf answer;

	exchange(server->port, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", &answer);
	assert_memory_equal(answer.bytes, "HTTP/1.1 200 OK\r\n", 17);
	assert_non_null(strstr(answer.bytes, "text/plain; version=0.0.4"));
	assert_non_null(strstr(answer.bytes, "\nprocess_resident_memory_bytes "));
	buf_finish(&answer);
}

static void
other_requests_are_refused(void **state)
{
	static const char *const requests[] = {
		"GET / HTTP/1.1\r\n\r\n",
		"GET /metricsx HTTP/1.1\r\n\r\n",
		"POST /metrics HTTP/1.1\r\n\r\n",
		"\r\n\r\n",
	};
	const struct server *server = *state;

	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
		struct buf answer;

		exchange(server->port, requests[i], &answer);
		assert_memory_equal(answer.bytes, "HTTP/1.1 404 Not Found\r\n", 24);
		buf_finish(&answer);
	}
}

static void
silent_and_endless_clients_do_not_keep_it(void **state)
{
	const struct server *server = *state;
	static char head[8000];
	struct buf answer;

	exchange(server->port, NULL, &answer); /* returns when the server gives up */
	assert_int_equal(answer.len, 0);
	buf_finish(&answer);
	memset(head, 'x', sizeof head - 1);
	exchange(server->port, head, &answer);
	assert_int_equal(answer.len, 0);
	buf_finish(&answer);
	metrics_are_shown(state);
}

static void
a_taken_port_is_named(void **state)
{
	const struct server *server = *state;
	struct metrics_http *second = NULL;
	struct fault fault;
	char port[32];

	assert_int_equal(metrics_http_start(server->port, &second, &fault), ERR_UNAVAILABLE);
	assert_null(second);
	assert_string_equal(fault.code, "port_in_use");
	snprintf(port, sizeof port, "port %d", (int)server->port);
	assert_non_null(strstr(fault.detail, port));
}

static void
it_ends_while_a_client_is_connected(void **state)
{
	struct metrics_http *server;
	int64_t port = free_port();
	int64_t from_ms;
	int fd;

	(void)state;
	assert_int_equal(metrics_http_start(port, &server, NULL), OK);
	fd = connect_to(port);
	from_ms = clock_monotonic_ms();
	metrics_http_stop(server);
	assert_true(clock_monotonic_ms() - from_ms < 900); /* well before the client's second is over */
	close(fd);
	metrics_http_stop(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(metrics_are_shown),
		cmocka_unit_test(other_requests_are_refused),
		cmocka_unit_test(silent_and_endless_clients_do_not_keep_it),
		cmocka_unit_test(a_taken_port_is_named),
		cmocka_unit_test(it_ends_while_a_client_is_connected),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
