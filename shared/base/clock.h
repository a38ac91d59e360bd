/* Time: wall clock in epoch milliseconds for what is stored and shown, monotonic for durations and timeouts. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int64_t clock_wall_ms(void);
int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_us(void);

/* RFC 3339 UTC with milliseconds: 2026-01-31T23:59:59.123Z. */
enum { CLOCK_TEXT_SIZE = 32 };
bool clock_parse(const char *text, int64_t *ret_wall_ms); /* exactly that form, of a day that exists */
void clock_format(int64_t wall_ms, char ret_text[CLOCK_TEXT_SIZE]);

#endif
