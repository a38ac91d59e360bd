/* Arenas: a list of blocks, the newest first; an allocation takes the next bytes of the newest one. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	BLOCK_MIN = 4 * 1024 - 64, /* a block and its header fit a page */
	BLOCK_GROW_MAX = 64 * 1024,
	ALIGNMENT = _Alignof(max_align_t),
};

struct arena_block {
	struct arena_block *older;
	size_t capacity;
	size_t used;
	max_align_t bytes[]; /* `capacity` bytes */
};

void
arena_init(struct arena *arena)
{
	arena->newest = NULL;
}

static void
free_blocks(struct arena_block *block)
{
	while (block != NULL) {
		struct arena_block *older = block->older;
		free(block);
		block = older;
	}
}

void
arena_finish(struct arena *arena)
{
	free_blocks(arena->newest);
	arena->newest = NULL;
}

void
arena_reset(struct arena *arena)
{
	struct arena_block *kept = arena->newest;

	if (kept == NULL)
		return;
	if (kept->capacity > ARENA_KEEP_MAX) {
		arena_finish(arena);
		return;
	}
	free_blocks(kept->older);
	kept->older = NULL;
	kept->used = 0;
}

static struct arena_block *
add_block(struct arena *arena, size_t size)
{
	size_t capacity = arena->newest == NULL ? BLOCK_MIN : arena->newest->capacity * 2;
	struct arena_block *block;

	if (capacity > BLOCK_GROW_MAX)
		capacity = BLOCK_GROW_MAX;
	if (capacity < size)
		capacity = size;
	block = malloc(sizeof *block + capacity);
	if (block == NULL)
		abort();
	block->older = arena->newest;
	block->capacity = capacity;
	block->used = 0;
	arena->newest = block;
	return block;
}

void *
arena_alloc(struct arena *arena, size_t size)
{
	struct arena_block *block = arena->newest;
	char *start;

	if (size > SIZE_MAX / 2)
		abort();
	size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	if (size == 0)
		size = ALIGNMENT;
	if (block == NULL || block->capacity - block->used < size)
		block = add_block(arena, size);
	start = (char *)block->bytes + block->used;
	block->used += size;
	return memset(start, 0, size);
}

char *
arena_memdup(struct arena *arena, const void *bytes, size_t len)
{
	char *copy = arena_alloc(arena, len + 1);

	if (len > 0)
		memcpy(copy, bytes, len);
	return copy;
}

char *
arena_strdup(struct arena *arena, const char *text)
{
	return text == NULL ? NULL : arena_memdup(arena, text, strlen(text));
}

char *
arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args;
	char *text;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0)
		abort();
	text = arena_alloc(arena, (size_t)len + 1);
	va_start(args, format);
	vsnprintf(text, (size_t)len + 1, format, args);
	va_end(args);
	return text;
}
