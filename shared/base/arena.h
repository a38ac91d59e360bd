/* Memory that is released all at once: one arena per request, operation or job.
 *
 * Allocation never fails: out of memory aborts, because every size that a client controls is capped before. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *newest; /* NULL: nothing allocated yet */
};

/* An arena of zero bytes is valid: `struct arena a = {0}`. */
void arena_init(struct arena *arena);

/* Frees all that was allocated; the arena is empty and usable again. */
void arena_finish(struct arena *arena);

/* Empties the arena but keeps its newest block, unless that is over ARENA_KEEP_MAX bytes, for the next use: for a loop
 * that serves one request after another. */
enum { ARENA_KEEP_MAX = 256 * 1024 };
void arena_reset(struct arena *arena);

/* `size` zeroed bytes, aligned for any type. */
void *arena_alloc(struct arena *arena, size_t size);

/* A copy of a string; NULL gives NULL. */
char *arena_strdup(struct arena *arena, const char *text);

/* A NUL-terminated copy of `len` bytes. */
char *arena_memdup(struct arena *arena, const void *bytes, size_t len);

char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
