/* Who may connect when thousands come at once: a token bucket on accept, and a cap of handshakes in flight, so that those who
 * are connected are served meanwhile. */
#ifndef PUSH_ADMISSION_H
#define PUSH_ADMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rate.h"

struct admission {
	struct rate_limit accepts;
	size_t handshakes_max;
	struct rate rate;
	size_t n_handshakes;
};

void admission_init(struct admission *admission, const struct rate_limit *accepts, size_t handshakes_max,
		    int64_t now_ms);

/* Whether one more connection may come in now; it then counts as a handshake until admission_over. `now_ms` is monotonic. */
bool admission_take(struct admission *admission, int64_t now_ms);

/* A handshake has ended, well or not. */
void admission_over(struct admission *admission);

#endif
