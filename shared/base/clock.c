/* The two clocks, and how a time is written. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t
read_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t
clock_wall_ms(void)
{
	return read_us(CLOCK_REALTIME) / 1000;
}

int64_t
clock_monotonic_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

int64_t
clock_monotonic_ms(void)
{
	return clock_monotonic_us() / 1000;
}

void
clock_format(int64_t wall_ms, char ret_text[CLOCK_TEXT_SIZE])
{
	int64_t ms = (wall_ms % 1000 + 1000) % 1000; /* also right before 1970 */
	time_t seconds = (time_t)(wall_ms / 1000 - (wall_ms % 1000 < 0));
	struct tm parts;
	size_t len;

	if (gmtime_r(&seconds, &parts) == NULL)
		parts = (struct tm){.tm_year = 70, .tm_mday = 1};
	len = strftime(ret_text, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(ret_text + len, CLOCK_TEXT_SIZE - len, ".%03dZ", (int)ms);
}
