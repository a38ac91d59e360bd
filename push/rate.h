/* How many frames a client may send: a token bucket per socket, and how long it has been over its rate. */
#ifndef PUSH_RATE_H
#define PUSH_RATE_H

#include <stdint.h>

enum {
	RATE_PATIENCE_MS = 5000, /* over the rate for so long without a second's pause: close */
	RATE_PAUSE_MS = 1000,
};

struct rate_limit {
	int64_t per_second;
	int64_t burst;
};

struct rate {
	int64_t millitokens;
	int64_t counted_at_ms;
	int64_t over_since_ms; /* 0: within the rate */
	int64_t refused_at_ms; /* the newest refusal */
};

enum rate_verdict { RATE_WITHIN, RATE_OVER, RATE_ABUSE };

void rate_init(struct rate *rate, const struct rate_limit *limit, int64_t now_ms);

/* Takes one token. RATE_OVER: none left, *ret_retry_after_ms until there is one. RATE_ABUSE: that has gone on for
 * RATE_PATIENCE_MS. `now_ms` is monotonic. */
enum rate_verdict rate_take(struct rate *rate, const struct rate_limit *limit, int64_t now_ms,
			    int64_t *ret_retry_after_ms);

#endif
