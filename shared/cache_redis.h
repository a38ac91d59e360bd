/* The cache's tier in Redis, which all api processes share. Whatever Redis loses, cuts short or mixes up is a value that is not
 * found; while it is down nothing is found and nothing is waited for (redis.h).
 *
 * All functions may be called from any thread. */
#ifndef CACHE_REDIS_H
#define CACHE_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct cache_redis;

/* `budget`: bytes of Redis' memory that the values of this process take at most, each of which lives for `ttl_s` seconds. Redis need
 * not be there. ERR_INVALID for a bad address. */
MUST_USE enum status cache_redis_create(const char *redis_url, size_t budget, int64_t ttl_s,
					struct cache_redis **ret_tier, struct fault *ret_fault);
void cache_redis_destroy(struct cache_redis *tier);

/* True: a NUL-terminated copy in malloc memory, without the NUL in *ret_len. */
bool cache_redis_find(struct cache_redis *tier, const char *key, char **ret_bytes, size_t *ret_len);

/* Has a thread write a copy; never blocks. Dropped when the budget is used, when too much waits, or while Redis is down. */
void cache_redis_keep(struct cache_redis *tier, const char *key, const char *bytes, size_t len);

#endif
