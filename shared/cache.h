/* Ready answers under keys that say all they are a function of: the epoch, what is shown, its revision, and the form of the JSON. Such
 * a value never becomes wrong, so there is no invalidation: a change makes another key, and the old value is used no more.
 *
 * Two tiers: this process's memory, then Redis; either can be switched off. All functions may be called from any thread, and
 * take a cache that is NULL for one that holds nothing. */
#ifndef CACHE_H
#define CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum {
	CACHE_KEY_SIZE = 224,         /* with the NUL; a longer key is a bug */
	CACHE_VALUE_MAX = 256 * 1024, /* bytes; what is longer is not kept */
};

struct cache_limits {
	int64_t memory_bytes; /* of this process; 0: this tier is off */
	int64_t redis_bytes;  /* of Redis, by this process; 0: this tier is off */
	int64_t redis_ttl_s;  /* the life of a value in Redis */
};

struct config;
struct cache;

/* What the settings say. */
struct cache_limits cache_settings(const struct config *config);

/* ERR_INVALID for a bad address. */
MUST_USE enum status cache_create(const struct cache_limits *limits, const char *redis_url, struct cache **ret_cache,
				  struct fault *ret_fault);
void cache_destroy(struct cache *cache);

/* A look-up that found nothing, from cache_find until cache_miss_end. All-zero: there is none. */
struct cache_miss {
	struct cache *cache;
	bool is_awaited; /* other threads wait for this value */
	char key[CACHE_KEY_SIZE];
};

/* True: the value, NUL-terminated in malloc memory, without the NUL in *ret_len. False: the caller makes the value, hands it to
 * cache_keep if it is the one the key means, and ends by cache_miss_end whatever happens. */
bool cache_find(struct cache *cache, const char *key, char **ret_bytes, size_t *ret_len, struct cache_miss *ret_miss);

/* Copies the value, which is text without a NUL inside. */
void cache_keep(struct cache_miss *miss, const char *bytes, size_t len);

void cache_miss_end(struct cache_miss *miss);
#define CLEANUP_CACHE_MISS CLEANUP(cache_miss_end)

#endif
