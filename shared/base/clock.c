/* The two clocks, and how a time is written. */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
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

/* Writing what was read gives the same text, or it was no such time (a 30 February, a letter for a digit). */
bool
clock_parse(const char *text, int64_t *ret_wall_ms)
{
	int parts[7];
	static const struct {
		int at, len;
	} digits[7] = {{0, 4}, {5, 2}, {8, 2}, {11, 2}, {14, 2}, {17, 2}, {20, 3}};
	char again[CLOCK_TEXT_SIZE];

	if (strlen(text) != strlen("2026-01-31T23:59:59.123Z"))
		return false;
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		parts[i] = 0;
		for (int j = 0; j < digits[i].len; j++)
			parts[i] = parts[i] * 10 + (text[digits[i].at + j] - '0');
	}

	struct tm tm = {
		.tm_year = parts[0] - 1900,
		.tm_mon = parts[1] - 1,
		.tm_mday = parts[2],
		.tm_hour = parts[3],
		.tm_min = parts[4],
		.tm_sec = parts[5],
	};
	int64_t wall_ms = (int64_t)timegm(&tm) * 1000 + parts[6];

	clock_format(wall_ms, again);
	if (strcmp(again, text) != 0)
		return false;
	*ret_wall_ms = wall_ms;
	return true;
}
