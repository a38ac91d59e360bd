/* A hash table of entries that are also in a list by their last use. Values are copied in and out with the mutex held: some
 * microseconds, and nobody has to count references. */
#include "cache.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "metrics.h"

#define uthash_fatal(message) abort()
#include <uthash.h>
#include <utlist.h>

enum { SHARE_MAX = 8 /* a value takes at most this part of the budget */ };

struct entry {
	UT_hash_handle hh;
	struct entry *prev, *next; /* by use, the newest first */
	size_t key_len, len;
	char bytes[]; /* the key with its NUL, then the value */
};

/* A key whose value a thread is making. */
struct flight {
	UT_hash_handle hh;
	char key[];
};

struct cache {
	size_t budget;
	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t landed; /* a flight has ended */
	struct entry *by_key;
	struct entry *by_use;
	struct flight *flights;
	size_t bytes;
};

size_t
cache_entry_bytes(size_t key_len, size_t len)
{
	return sizeof(struct entry) + key_len + 1 + len;
}

static size_t
bytes_of(const struct entry *entry)
{
	return cache_entry_bytes(entry->key_len, entry->len);
}

struct cache *
cache_create(size_t budget)
{
	struct cache *cache = budget > 0 ? calloc(1, sizeof *cache) : NULL;
	pthread_condattr_t attributes;

	if (budget == 0)
		return NULL;
	if (!cache)
		abort();
	cache->budget = budget;
	pthread_mutex_init(&cache->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&cache->landed, &attributes);
	pthread_condattr_destroy(&attributes);
	return cache;
}

/* With the mutex held. */
static void
drop(struct cache *cache, struct entry *entry)
{
	cache->bytes -= bytes_of(entry);
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc,clang-analyzer-core.NullDereference): it cannot follow the macro's links */
	HASH_DEL(cache->by_key, entry);
	DL_DELETE(cache->by_use, entry);
	free(entry);
}

/* Likewise. */
static void
end_flight(struct cache *cache, struct flight *flight)
{
	HASH_DEL(cache->flights, flight);
	free(flight);
}

void
cache_destroy(struct cache *cache)
{
	if (!cache)
		return;
	while (cache->by_use)
		drop(cache, cache->by_use);
	while (cache->flights)
		end_flight(cache, cache->flights);
	pthread_cond_destroy(&cache->landed);
	pthread_mutex_destroy(&cache->mutex);
	free(cache);
}

/* With the mutex held: the entry, which is now the one used last; or NULL. */
static struct entry *
use(struct cache *cache, const char *key, size_t key_len)
{
	struct entry *entry;

	HASH_FIND(hh, cache->by_key, key, key_len, entry);
	if (entry && entry != cache->by_use) {
		DL_DELETE(cache->by_use, entry);
		DL_PREPEND(cache->by_use, entry);
	}
	return entry;
}

static char *
copy_of(const struct entry *entry)
{
	char *copy = malloc(entry->len + 1);

	if (!copy)
		abort();
	memcpy(copy, entry->bytes + entry->key_len + 1, entry->len);
	copy[entry->len] = '\0';
	return copy;
}

static struct flight *
find_flight(struct cache *cache, const char *key, size_t key_len)
{
	struct flight *flight;

	HASH_FIND(hh, cache->flights, key, key_len, flight);
	return flight;
}

static void
begin_flight(struct cache *cache, const char *key, size_t key_len)
{
	struct flight *flight = calloc(1, sizeof *flight + key_len + 1);

	if (!flight)
		abort();
	memcpy(flight->key, key, key_len);
	HASH_ADD(hh, cache->flights, key, key_len, flight);
}

/* With the mutex held: waits for another thread's value. False when it took too long. */
static bool
wait_for_flight(struct cache *cache, const char *key, size_t key_len)
{
	struct timespec until;
	int error = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += CACHE_WAIT_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	metrics_add(METRIC_CACHE_WAITS, 1);
	while (error != ETIMEDOUT && find_flight(cache, key, key_len))
		error = pthread_cond_timedwait(&cache->landed, &cache->mutex, &until);
	return error != ETIMEDOUT;
}

/* With the mutex held: the entry, or NULL and whether this caller's value is one that others wait for. Who waited in vain makes a value
 * and lets nobody wait: one that cannot be kept would else be made by one after the other. */
static struct entry *
find(struct cache *cache, const char *key, size_t key_len, bool *ret_is_awaited)
{
	struct entry *entry = use(cache, key, key_len);

	*ret_is_awaited = false;
	if (entry)
		return entry;
	if (!find_flight(cache, key, key_len)) {
		begin_flight(cache, key, key_len);
		*ret_is_awaited = true;
		return NULL;
	}
	return wait_for_flight(cache, key, key_len) ? use(cache, key, key_len) : NULL;
}

bool
cache_find(struct cache *cache, const char *key, char **ret_bytes, size_t *ret_len, struct cache_miss *ret_miss)
{
	size_t key_len = strlen(key);
	struct entry *entry;

	*ret_miss = (struct cache_miss){0};
	if (!cache)
		return false;
	assert(key_len < CACHE_KEY_SIZE);
	pthread_mutex_lock(&cache->mutex);
	entry = find(cache, key, key_len, &ret_miss->is_awaited);
	if (entry) {
		*ret_bytes = copy_of(entry);
		*ret_len = entry->len;
	}
	pthread_mutex_unlock(&cache->mutex);
	metrics_add(entry ? METRIC_CACHE_HITS : METRIC_CACHE_MISSES, 1);
	if (entry)
		return true;
	ret_miss->cache = cache;
	memcpy(ret_miss->key, key, key_len + 1);
	return false;
}

static struct entry *
make_entry(const char *key, size_t key_len, const char *bytes, size_t len)
{
	struct entry *entry = malloc(cache_entry_bytes(key_len, len));

	if (!entry)
		abort();
	*entry = (struct entry){.key_len = key_len, .len = len};
	memcpy(entry->bytes, key, key_len + 1);
	memcpy(entry->bytes + key_len + 1, bytes, len);
	return entry;
}

/* With the mutex held: has an entry of its size fit. */
static void
make_room(struct cache *cache, size_t size)
{
	int64_t n_evicted = 0;

	while (cache->bytes + size > cache->budget) {
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc,clang-analyzer-core.NullDereference): it cannot follow the macro's links */
		drop(cache, cache->by_use->prev); /* the head's prev is the tail */
		n_evicted++;
	}
	if (n_evicted > 0)
		metrics_add(METRIC_CACHE_EVICTED, n_evicted);
}

void
cache_keep(const struct cache_miss *miss, const char *bytes, size_t len)
{
	struct cache *cache = miss->cache;
	size_t key_len = strlen(miss->key), size = cache_entry_bytes(key_len, len);
	struct entry *entry, *old;

	if (!cache || size > cache->budget / SHARE_MAX)
		return;
	entry = make_entry(miss->key, key_len, bytes, len);
	pthread_mutex_lock(&cache->mutex);
	HASH_FIND(hh, cache->by_key, miss->key, key_len, old);
	if (old)
		drop(cache, old);
	make_room(cache, size);
	HASH_ADD_KEYPTR(hh, cache->by_key, entry->bytes, key_len, entry);
	DL_PREPEND(cache->by_use, entry);
	cache->bytes += size;
	metrics_set(METRIC_CACHE_BYTES, (int64_t)cache->bytes);
	pthread_mutex_unlock(&cache->mutex);
}

struct cache_miss
cache_outdated(struct cache *cache, const char *key)
{
	struct cache_miss miss = {.cache = cache};
	size_t key_len = strlen(key);

	assert(key_len < CACHE_KEY_SIZE);
	memcpy(miss.key, key, key_len + 1);
	metrics_add(METRIC_CACHE_OUTDATED, 1);
	return miss;
}

void
cache_miss_end(struct cache_miss *miss)
{
	struct cache *cache = miss->cache;

	if (miss->is_awaited) {
		pthread_mutex_lock(&cache->mutex);
		end_flight(cache, find_flight(cache, miss->key, strlen(miss->key)));
		pthread_cond_broadcast(&cache->landed);
		pthread_mutex_unlock(&cache->mutex);
	}
	*miss = (struct cache_miss){0};
}

size_t
cache_bytes(struct cache *cache)
{
	pthread_mutex_lock(&cache->mutex);
	size_t bytes = cache->bytes;
	pthread_mutex_unlock(&cache->mutex);
	return bytes;
}
