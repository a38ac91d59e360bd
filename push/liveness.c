/* Two clocks that start anew at each sign of life. */
#include "liveness.h"

#include <stdbool.h>

void
liveness_init(struct liveness *liveness, int64_t now_ms)
{
	*liveness = (struct liveness){.sign_at_ms = now_ms};
}

enum liveness_verdict
liveness_look(struct liveness *liveness, const struct liveness_sample *sample, int64_t now_ms)
{
	bool acknowledged = sample->acknowledged != liveness->last.acknowledged;

	if (acknowledged || sample->received != liveness->last.received)
		liveness->sign_at_ms = now_ms;
	if (sample->unacknowledged == 0)
		liveness->waiting_since_ms = 0;
	else if (acknowledged || liveness->waiting_since_ms == 0)
		liveness->waiting_since_ms = now_ms;
	liveness->last = *sample;

	if (liveness->waiting_since_ms != 0 && now_ms - liveness->waiting_since_ms >= LIVENESS_STALLED_MS)
		return LIVENESS_STALLED;
	if (now_ms - liveness->sign_at_ms >= LIVENESS_SILENT_MS)
		return LIVENESS_SILENT;
	return LIVENESS_WELL;
}
