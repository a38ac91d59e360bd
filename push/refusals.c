/* An answer that precedes its request is fine for HTTP/1.1 (RFC 9112 9.6 describes the lingering close). */
#include "refusals.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "metrics.h"

enum { LOOK_MS = 100 };

#define BODY                                                                                                           \
	"{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,\"code\":\"server_busy\","         \
	"\"detail\":\"Too many connect at once; try again after the time that Retry-After says.\",\"retryable\":true}"

static void
answer(struct refusals *refusals, int fd)
{
	char text[512];
	int len;

	refusals->retry_after_s = refusals->retry_after_s % REFUSAL_SPREAD_S + 1;
	len = snprintf(
		text, sizeof text,
		"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n"
		"Content-Length: %zu\r\nRetry-After: %u\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n%s",
		sizeof BODY - 1, refusals->retry_after_s, BODY);
	if (send(fd, text, (size_t)len, MSG_NOSIGNAL) == len)
		shutdown(fd, SHUT_WR);
}

/* Reads some of what has come; false when nothing will any more. */
static bool
is_open(int fd)
{
	char bytes[4096];
	ssize_t n = recv(fd, bytes, sizeof bytes, 0);

	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void
close_oldest(struct refusals *refusals)
{
	close(refusals->ring[refusals->first].fd);
	refusals->first = (refusals->first + 1) % REFUSALS_MAX;
	refusals->n--;
}

/* In order: one that has been read by its peer waits behind one that has not, for a second at most. */
static void
on_look(uv_timer_t *timer)
{
	struct refusals *refusals = timer->data;
	int64_t now_ms = clock_monotonic_ms();

	while (refusals->n > 0 &&
	       (now_ms >= refusals->ring[refusals->first].until_ms || !is_open(refusals->ring[refusals->first].fd)))
		close_oldest(refusals);
	if (refusals->n == 0)
		uv_timer_stop(timer);
}

void
refusals_init(struct refusals *refusals, uv_loop_t *loop)
{
	refusals->first = refusals->n = 0;
	refusals->retry_after_s = 0;
	uv_timer_init(loop, &refusals->timer);
	refusals->timer.data = refusals;
}

void
refusals_add(struct refusals *refusals, int fd)
{
	size_t place;

	answer(refusals, fd);
	if (refusals->n == REFUSALS_MAX)
		close_oldest(refusals);
	place = (refusals->first + refusals->n++) % REFUSALS_MAX;
	refusals->ring[place].fd = fd;
	refusals->ring[place].until_ms = clock_monotonic_ms() + REFUSAL_MS;
	metrics_add(METRIC_REFUSED, 1);
	if (!uv_is_active((uv_handle_t *)&refusals->timer))
		uv_timer_start(&refusals->timer, on_look, LOOK_MS, LOOK_MS);
}

void
refusals_close(struct refusals *refusals)
{
	while (refusals->n > 0)
		close_oldest(refusals);
	uv_close((uv_handle_t *)&refusals->timer, NULL);
}
