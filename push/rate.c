/* The token bucket counts in thousandths, so that a rate of a few per second is exact at a millisecond. */
#include "rate.h"

enum { TOKEN = 1000 };

void
rate_init(struct rate *rate, const struct rate_limit *limit, int64_t now_ms)
{
	*rate = (struct rate){.millitokens = limit->burst * TOKEN, .counted_at_ms = now_ms};
}

/* One token per second is one thousandth per millisecond. The time for which refilling is counted is bounded by what fills
 * the bucket, so that the product stays small. */
static void
refill(struct rate *rate, const struct rate_limit *limit, int64_t now_ms)
{
	int64_t passed_ms = now_ms - rate->counted_at_ms;
	int64_t full = limit->burst * TOKEN;

	rate->counted_at_ms = now_ms;
	if (passed_ms <= 0)
		return;
	if (passed_ms > full / limit->per_second)
		rate->millitokens = full;
	else
		rate->millitokens += passed_ms * limit->per_second;
	if (rate->millitokens > full)
		rate->millitokens = full;
}

enum rate_verdict
rate_take(struct rate *rate, const struct rate_limit *limit, int64_t now_ms, int64_t *ret_retry_after_ms)
{
	refill(rate, limit, now_ms);
	if (rate->millitokens >= TOKEN) {
		rate->millitokens -= TOKEN;
		return RATE_WITHIN;
	}
	if (rate->over_since_ms == 0 || now_ms - rate->refused_at_ms > RATE_PAUSE_MS)
		rate->over_since_ms = now_ms;
	rate->refused_at_ms = now_ms;
	*ret_retry_after_ms = (TOKEN - rate->millitokens + limit->per_second - 1) / limit->per_second;
	return now_ms - rate->over_since_ms >= RATE_PATIENCE_MS ? RATE_ABUSE : RATE_OVER;
}
