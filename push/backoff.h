/* How long to wait before the next attempt to connect to a server that is away: longer and longer, and never in step with others. */
#ifndef PUSH_BACKOFF_H
#define PUSH_BACKOFF_H

#include <stdint.h>

enum {
	BACKOFF_MIN_MS = 250, /* at most, after the first attempt */
	BACKOFF_MAX_MS = 4000,
};

/* After `n_attempts` that failed, from 1: between a half and the whole of BACKOFF_MIN_MS doubled with each, by `random`. */
int64_t backoff_ms(unsigned n_attempts, uint32_t random);

#endif
