/* A hash table of entries that are also in a list by their last use. Values are copied in and out with the mutex held: some
 * microseconds, and nobody has to count references. */
#include "cache_memory.h"

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

struct cache_memory {
	size_t budget;
	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t landed; /* a flight has ended */
	struct entry *by_key;
	struct entry *by_use;
	struct flight *flights;
	size_t bytes;
};

size_t
cache_memory_entry_bytes(size_t key_len, size_t len)
{
	return sizeof(struct entry) + key_len + 1 + len;
}

static size_t
bytes_of(const struct entry *entry)
{
	return cache_memory_entry_bytes(entry->key_len, entry->len);
}

struct cache_memory *
cache_memory_create(size_t budget)
{
	struct cache_memory *memory = calloc(1, sizeof *memory);
	pthread_condattr_t attributes;

	if (!memory)
		abort();
	memory->budget = budget;
	pthread_mutex_init(&memory->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&memory->landed, &attributes);
	pthread_condattr_destroy(&attributes);
	return memory;
}

/* With the mutex held. */
static void
drop(struct cache_memory *memory, struct entry *entry)
{
	memory->bytes -= bytes_of(entry);
	HASH_DEL(memory->by_key, entry);
	DL_DELETE(memory->by_use, entry);
	free(entry);
}

/* Likewise. */
static void
end_flight(struct cache_memory *memory, struct flight *flight)
{
	HASH_DEL(memory->flights, flight);
	free(flight);
}

void
cache_memory_destroy(struct cache_memory *memory)
{
	if (!memory)
		return;
	while (memory->by_use)
		drop(memory, memory->by_use);
	while (memory->flights)
		end_flight(memory, memory->flights);
	pthread_cond_destroy(&memory->landed);
	pthread_mutex_destroy(&memory->mutex);
	free(memory);
}

/* With the mutex held: the entry, which is now the one used last; or NULL. */
static struct entry *
use(struct cache_memory *memory, const char *key, size_t key_len)
{
	struct entry *entry;

	HASH_FIND(hh, memory->by_key, key, key_len, entry);
	if (entry && entry != memory->by_use) {
		DL_DELETE(memory->by_use, entry);
		DL_PREPEND(memory->by_use, entry);
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
find_flight(struct cache_memory *memory, const char *key, size_t key_len)
{
	struct flight *flight;

	HASH_FIND(hh, memory->flights, key, key_len, flight);
	return flight;
}

static void
begin_flight(struct cache_memory *memory, const char *key, size_t key_len)
{
	struct flight *flight = calloc(1, sizeof *flight + key_len + 1);

	if (!flight)
		abort();
	memcpy(flight->key, key, key_len);
	HASH_ADD(hh, memory->flights, key, key_len, flight);
}

/* With the mutex held: waits for another thread's value. False when it took too long. */
static bool
wait_for_flight(struct cache_memory *memory, const char *key, size_t key_len)
{
	struct timespec until;
	int error = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += CACHE_MEMORY_WAIT_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	metrics_add(METRIC_CACHE_WAITS, 1);
	while (error != ETIMEDOUT && find_flight(memory, key, key_len))
		error = pthread_cond_timedwait(&memory->landed, &memory->mutex, &until);
	return error != ETIMEDOUT;
}

/* With the mutex held. Who waited for a value that then was not kept makes its own and lets nobody wait: a value that cannot be kept
 * would else be made by one after the other. */
static enum cache_answer
find(struct cache_memory *memory, const char *key, struct entry **ret_entry)
{
	size_t key_len = strlen(key);

	*ret_entry = use(memory, key, key_len);
	if (*ret_entry)
		return CACHE_FOUND;
	if (!find_flight(memory, key, key_len)) {
		begin_flight(memory, key, key_len);
		return CACHE_MISSING;
	}
	if (wait_for_flight(memory, key, key_len))
		*ret_entry = use(memory, key, key_len);
	return *ret_entry ? CACHE_FOUND : CACHE_UNSHARED;
}

enum cache_answer
cache_memory_find(struct cache_memory *memory, const char *key, char **ret_bytes, size_t *ret_len)
{
	struct entry *entry;

	pthread_mutex_lock(&memory->mutex);
	enum cache_answer answer = find(memory, key, &entry);
	if (entry) {
		*ret_bytes = copy_of(entry);
		*ret_len = entry->len;
	}
	pthread_mutex_unlock(&memory->mutex);
	metrics_add(entry ? METRIC_CACHE_MEMORY_HITS : METRIC_CACHE_MEMORY_MISSES, 1);
	return answer;
}

static struct entry *
make_entry(const char *key, size_t key_len, const char *bytes, size_t len)
{
	struct entry *entry = malloc(cache_memory_entry_bytes(key_len, len));

	if (!entry)
		abort();
	*entry = (struct entry){.key_len = key_len, .len = len};
	memcpy(entry->bytes, key, key_len + 1);
	memcpy(entry->bytes + key_len + 1, bytes, len);
	return entry;
}

/* With the mutex held: has an entry of its size fit. */
static void
make_room(struct cache_memory *memory, size_t size)
{
	int64_t n_evicted = 0;

	while (memory->bytes + size > memory->budget) {
		drop(memory, memory->by_use->prev); /* the head's prev is the tail */
		n_evicted++;
	}
	if (n_evicted > 0)
		metrics_add(METRIC_CACHE_MEMORY_EVICTED, n_evicted);
}

void
cache_memory_keep(struct cache_memory *memory, const char *key, const char *bytes, size_t len)
{
	size_t key_len = strlen(key), size = cache_memory_entry_bytes(key_len, len);
	struct entry *entry, *old;

	if (size > memory->budget / SHARE_MAX)
		return;
	entry = make_entry(key, key_len, bytes, len);
	pthread_mutex_lock(&memory->mutex);
	HASH_FIND(hh, memory->by_key, key, key_len, old);
	if (old)
		drop(memory, old);
	make_room(memory, size);
	HASH_ADD_KEYPTR(hh, memory->by_key, entry->bytes, key_len, entry);
	DL_PREPEND(memory->by_use, entry);
	memory->bytes += size;
	metrics_set(METRIC_CACHE_MEMORY_BYTES, (int64_t)memory->bytes);
	pthread_mutex_unlock(&memory->mutex);
}

void
cache_memory_release(struct cache_memory *memory, const char *key)
{
	pthread_mutex_lock(&memory->mutex);
	struct flight *flight = find_flight(memory, key, strlen(key));
	if (flight)
		end_flight(memory, flight);
	pthread_cond_broadcast(&memory->landed);
	pthread_mutex_unlock(&memory->mutex);
}

size_t
cache_memory_bytes(struct cache_memory *memory)
{
	pthread_mutex_lock(&memory->mutex);
	size_t bytes = memory->bytes;
	pthread_mutex_unlock(&memory->mutex);
	return bytes;
}
