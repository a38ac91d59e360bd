/* Ready answers in this process's memory, under keys that say all they are a function of: the epoch, what is shown, its revision. Such a
 * value never becomes wrong, so there is no invalidation: a change makes another key, and the old value is used no more.
 *
 * Keeps the values used last, within a budget of bytes, and lets only one thread at a time make the value of a key that many ask
 * for at once. All functions may be called from any thread, and take a cache that is NULL for one that holds nothing. */
#ifndef CACHE_H
#define CACHE_H

#include <stdbool.h>
#include <stddef.h>

enum {
	CACHE_KEY_SIZE = 224, /* with the NUL; a longer key is a bug */
	CACHE_WAIT_MS = 200,  /* for a value that another thread makes */
};

struct cache;

/* `budget`: bytes of all values together, with their keys and what it costs to find them; 0: NULL, nothing is kept. */
struct cache *cache_create(size_t budget);
void cache_destroy(struct cache *cache);

/* A look-up that found nothing, from cache_find until cache_miss_end. All-zero: there is none. */
struct cache_miss {
	struct cache *cache;
	bool is_awaited; /* other threads wait for this value */
	char key[CACHE_KEY_SIZE];
};

/* True: a copy of the value, NUL-terminated in malloc memory, without the NUL in *ret_len. False: the caller makes the value, hands it
 * to cache_keep if it is the one the key means, and ends by cache_miss_end whatever happens. Waits for CACHE_WAIT_MS at most. */
bool cache_find(struct cache *cache, const char *key, char **ret_bytes, size_t *ret_len, struct cache_miss *ret_miss);

/* Keeps a copy, in place of what the key had, and lets go of what was used least recently until the budget holds. A value that takes
 * over an eighth of the budget is not kept: it would cost too many others. */
void cache_keep(const struct cache_miss *miss, const char *bytes, size_t len);

/* A value that was found and turns out not to be right any more, where the key alone does not say so: cache_keep puts another in its
 * place. Nobody waits for that. */
struct cache_miss cache_outdated(struct cache *cache, const char *key);

/* Whether the value was kept or not: wakes who waits for it. */
void cache_miss_end(struct cache_miss *miss);
#define CLEANUP_CACHE_MISS CLEANUP(cache_miss_end)

/* What the values take of the budget now, and what one takes of it. */
size_t cache_bytes(struct cache *cache);
size_t cache_entry_bytes(size_t key_len, size_t len);

#endif
