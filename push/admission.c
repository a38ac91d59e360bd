/* The bucket is that of the frames (rate.h); a connection that finds no room for its handshake takes no token. */
#include "admission.h"

#include <assert.h>

void
admission_init(struct admission *admission, const struct rate_limit *accepts, size_t handshakes_max, int64_t now_ms)
{
	*admission = (struct admission){.accepts = *accepts, .handshakes_max = handshakes_max};
	rate_init(&admission->rate, accepts, now_ms);
}

bool
admission_take(struct admission *admission, int64_t now_ms)
{
	int64_t retry_after_ms;

	if (admission->n_handshakes >= admission->handshakes_max ||
	    rate_take(&admission->rate, &admission->accepts, now_ms, &retry_after_ms) != RATE_WITHIN)
		return false;
	admission->n_handshakes++;
	return true;
}

void
admission_over(struct admission *admission)
{
	assert(admission->n_handshakes > 0);
	admission->n_handshakes--;
}
