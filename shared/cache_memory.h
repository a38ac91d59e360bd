/* The cache's tier in this process: the values used last, within a budget of bytes. Also lets only one thread at a time make the value
 * of a key that many ask for at once. What a key means, and the tier in Redis, are cache.c's.
 *
 * All functions may be called from any thread. */
#ifndef CACHE_MEMORY_H
#define CACHE_MEMORY_H

#include <stddef.h>

enum {
	CACHE_MEMORY_WAIT_MS = 200, /* for a value that another thread makes */
};

struct cache_memory;

enum cache_answer {
	CACHE_FOUND,
	CACHE_MISSING,  /* nobody makes it: others wait until this caller ends by cache_memory_release */
	CACHE_UNSHARED, /* somebody else took too long, or it could not be kept: make it, and tell nobody */
};

/* `budget`: bytes of all entries together, with their keys and what it costs to find them. */
struct cache_memory *cache_memory_create(size_t budget);
void cache_memory_destroy(struct cache_memory *memory);

/* CACHE_FOUND: a NUL-terminated copy in malloc memory, without the NUL in *ret_len. Waits for CACHE_MEMORY_WAIT_MS at most. */
enum cache_answer cache_memory_find(struct cache_memory *memory, const char *key, char **ret_bytes, size_t *ret_len);

/* Keeps a copy, in place of what the key had, and lets go of what was used least recently until the budget holds. A value that is
 * over an eighth of the budget is not kept: it would cost too many others. */
void cache_memory_keep(struct cache_memory *memory, const char *key, const char *bytes, size_t len);

/* After CACHE_MISSING, whether the value was kept or not: wakes who waits for it. */
void cache_memory_release(struct cache_memory *memory, const char *key);

/* What the entries take of the budget now. */
size_t cache_memory_bytes(struct cache_memory *memory);

/* What one entry takes of it. */
size_t cache_memory_entry_bytes(size_t key_len, size_t len);

#endif
