/* Half of it is fixed, so that nobody hammers; half is random, so that not all come at once. */
#include "backoff.h"

int64_t
backoff_ms(unsigned n_attempts, uint32_t random)
{
	int64_t whole_ms = BACKOFF_MIN_MS;

	while (n_attempts-- > 1 && whole_ms < BACKOFF_MAX_MS)
		whole_ms *= 2;
	if (whole_ms > BACKOFF_MAX_MS)
		whole_ms = BACKOFF_MAX_MS;
	return whole_ms / 2 + random % (whole_ms / 2 + 1);
}
