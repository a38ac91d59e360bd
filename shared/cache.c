/* The two tiers as one: see cache.h. */
#include "cache.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cache_memory.h"
#include "cache_redis.h"
#include "config.h"

struct cache {
	struct cache_memory *memory; /* NULL: off */
	struct cache_redis *redis;   /* likewise */
};

struct cache_limits
cache_settings(const struct config *config)
{
	return (struct cache_limits){
		.memory_bytes = config->cache_memory_bytes,
		.redis_bytes = config->cache_redis_bytes,
		.redis_ttl_s = config->cache_redis_ttl_s,
	};
}

enum status
cache_create(const struct cache_limits *limits, const char *redis_url, struct cache **ret_cache,
	     struct fault *ret_fault)
{
	struct cache_redis *redis = NULL;

	if (limits->redis_bytes > 0)
		TRY(cache_redis_create(redis_url, (size_t)limits->redis_bytes, limits->redis_ttl_s, &redis, ret_fault));

	struct cache *cache = calloc(1, sizeof *cache);
	if (!cache)
		abort();
	cache->redis = redis;
	if (limits->memory_bytes > 0)
		cache->memory = cache_memory_create((size_t)limits->memory_bytes);
	*ret_cache = cache;
	return OK;
}

void
cache_destroy(struct cache *cache)
{
	if (!cache)
		return;
	cache_redis_destroy(cache->redis);
	cache_memory_destroy(cache->memory);
	free(cache);
}

bool
cache_find(struct cache *cache, const char *key, char **ret_bytes, size_t *ret_len, struct cache_miss *ret_miss)
{
	enum cache_answer answer = CACHE_UNSHARED;
	size_t key_len = strlen(key);

	*ret_miss = (struct cache_miss){0};
	if (!cache)
		return false;
	assert(key_len < CACHE_KEY_SIZE);
	if (cache->memory)
		answer = cache_memory_find(cache->memory, key, ret_bytes, ret_len);
	if (answer == CACHE_FOUND)
		return true;
	ret_miss->cache = cache;
	ret_miss->is_awaited = answer == CACHE_MISSING;
	memcpy(ret_miss->key, key, key_len + 1);
	if (!cache->redis || !cache_redis_find(cache->redis, key, ret_bytes, ret_len))
		return false;
	if (cache->memory)
		cache_memory_keep(cache->memory, key, *ret_bytes, *ret_len);
	cache_miss_end(ret_miss);
	return true;
}

void
cache_keep(struct cache_miss *miss, const char *bytes, size_t len)
{
	if (!miss->cache || len > CACHE_VALUE_MAX)
		return;
	if (miss->cache->memory)
		cache_memory_keep(miss->cache->memory, miss->key, bytes, len);
	if (miss->cache->redis)
		cache_redis_keep(miss->cache->redis, miss->key, bytes, len);
}

void
cache_miss_end(struct cache_miss *miss)
{
	if (miss->is_awaited)
		cache_memory_release(miss->cache->memory, miss->key);
	*miss = (struct cache_miss){0};
}
