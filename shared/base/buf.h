/* A growing byte buffer with a maximum: what comes in from outside or goes out piece by piece. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *bytes; /* NUL-terminated when not NULL; the NUL is not counted in len */
	size_t len;
	size_t capacity;
	size_t max; /* bytes; 0 = no bound */
};

void buf_init(struct buf *buf, size_t max);
void buf_finish(struct buf *buf);
void buf_clear(struct buf *buf);

/* Appends; false when it would exceed `max` (nothing is appended then). */
bool buf_append(struct buf *buf, const void *bytes, size_t len);
bool buf_append_text(struct buf *buf, const char *text);
bool buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Makes room for `len` more bytes and returns where they go, or NULL when that would exceed `max`.
 * The caller writes at most `len` bytes there and then calls buf_advance with how many. */
char *buf_reserve(struct buf *buf, size_t len);
void buf_advance(struct buf *buf, size_t len);

/* Drops the first `len` bytes. */
void buf_consume(struct buf *buf, size_t len);

#endif
