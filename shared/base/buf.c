/* Byte buffers that double as they grow and never pass their maximum. */
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 256 };

void
buf_init(struct buf *buf, size_t max)
{
	*buf = (struct buf){.max = max};
}

void
buf_finish(struct buf *buf)
{
	free(buf->bytes);
	*buf = (struct buf){.max = buf->max};
}

void
buf_clear(struct buf *buf)
{
	buf->len = 0;
	if (buf->bytes != NULL)
		buf->bytes[0] = '\0';
}

char *
buf_reserve(struct buf *buf, size_t len)
{
	size_t max = buf->max == 0 ? SIZE_MAX / 2 - 1 : buf->max;
	size_t needed;

	if (buf->len > max || len > max - buf->len)
		return NULL;
	needed = buf->len + len + 1; /* the NUL */
	if (needed > buf->capacity) {
		size_t capacity = buf->capacity < CAPACITY_MIN / 2 ? CAPACITY_MIN : buf->capacity * 2;
		char *bytes;

		if (capacity > max + 1)
			capacity = max + 1;
		if (capacity < needed)
			capacity = needed;
		bytes = realloc(buf->bytes, capacity);
		if (bytes == NULL)
			abort();
		buf->bytes = bytes;
		buf->capacity = capacity;
		buf->bytes[buf->len] = '\0';
	}
	return buf->bytes + buf->len;
}

void
buf_advance(struct buf *buf, size_t len)
{
	if (len == 0)
		return;
	assert(buf->capacity > buf->len && len < buf->capacity - buf->len);
	buf->len += len;
	buf->bytes[buf->len] = '\0';
}

bool
buf_append(struct buf *buf, const void *bytes, size_t len)
{
	char *end = buf_reserve(buf, len);

	if (end == NULL)
		return false;
	if (len > 0)
		memcpy(end, bytes, len);
	buf_advance(buf, len);
	return true;
}

bool
buf_append_text(struct buf *buf, const char *text)
{
	return buf_append(buf, text, strlen(text));
}

bool
buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args;
	char *end;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0)
		abort();
	end = buf_reserve(buf, (size_t)len);
	if (end == NULL)
		return false;
	va_start(args, format);
	vsnprintf(end, (size_t)len + 1, format, args);
	va_end(args);
	buf_advance(buf, (size_t)len);
	return true;
}

void
buf_consume(struct buf *buf, size_t len)
{
	assert(len <= buf->len);
	if (len == 0)
		return;
	buf->len -= len;
	memmove(buf->bytes, buf->bytes + len, buf->len);
	buf->bytes[buf->len] = '\0';
}
