/* Connections that are turned away: each gets a 503 that is ready before it comes, and its descriptor is closed a moment later,
 * so that the answer is read before the connection is reset. Nothing is allocated for them. */
#ifndef PUSH_REFUSALS_H
#define PUSH_REFUSALS_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum {
	REFUSALS_MAX = 1024,  /* descriptors that wait; one more closes the oldest */
	REFUSAL_MS = 1000,    /* how long one waits for its peer to close first */
	REFUSAL_SPREAD_S = 5, /* Retry-After is 1 to this, so that they don't all come again at once */
};

struct refusals {
	uv_timer_t timer;
	size_t first, n; /* a ring, oldest first */
	struct {
		int fd;
		int64_t until_ms;
	} ring[REFUSALS_MAX];
	unsigned retry_after_s; /* of the newest */
};

void refusals_init(struct refusals *refusals, uv_loop_t *loop);

/* Takes the descriptor of a connection that has just been accepted: non-blocking. */
void refusals_add(struct refusals *refusals, int fd);

/* Closes all and its uv handle. */
void refusals_close(struct refusals *refusals);

#endif
