/* A value in Redis is `cache:<key>` → `<digest>\n<bytes>`, the digest over key and bytes: what was cut, changed or stands under
 * another key is not taken for the value. Request threads read, by a few connections so that they don't stand in line for one;
 * a thread writes, so that nobody waits for that. */
#include "cache_redis.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/thread.h"
#include "metrics.h"
#include "redis.h"

#define KEY_PREFIX "cache:"

enum {
	READERS = 4,                       /* connections */
	PIPELINE_MAX = 16,                 /* values written at once */
	QUEUE_BYTES_MAX = 8 * 1024 * 1024, /* that wait for a Redis that is slow */
	ENTRY_OVERHEAD = 128,              /* what Redis needs for a key beside its bytes */
	WINDOWS = 2,                       /* parts of a life, see admit() */
	DIGEST_LEN = ID_DIGEST_SIZE - 1,
	TTL_TEXT_SIZE = 24,
};

struct value {
	struct value *next;
	size_t key_len, len;
	char bytes[]; /* the key in Redis and a NUL, then what stands there and a NUL */
};

struct cache_redis {
	struct redis *readers[READERS];
	struct redis *writer;
	atomic_uint next_reader;
	size_t budget;
	int64_t ttl_ms;
	char ttl_text[TTL_TEXT_SIZE];
	bool has_thread;
	pthread_t thread;

	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t wake;
	struct value *first, **end;
	size_t queued_bytes;
	int64_t window; /* the present one's number */
	size_t window_bytes;
	bool stopping;
};

/* With the mutex held: whether the budget has `size` bytes left. A value that is alive was written in the present window or in
 * one of the WINDOWS before it, so each may have its part of the budget. */
static bool
admit(struct cache_redis *tier, size_t size)
{
	int64_t window = clock_monotonic_ms() / (tier->ttl_ms / WINDOWS);

	if (window != tier->window) {
		tier->window = window;
		tier->window_bytes = 0;
	}
	if (tier->window_bytes + size > tier->budget / (WINDOWS + 1))
		return false;
	tier->window_bytes += size;
	return true;
}

static void
digest_of(const char *key, const char *bytes, char ret_digest[ID_DIGEST_SIZE])
{
	const char *const parts[] = {key, bytes};

	id_digest(parts, 2, ret_digest);
}

/* Without the digest: the thread has time for that. */
static struct value *
make_value(const char *key, const char *bytes, size_t len)
{
	size_t key_len = strlen(KEY_PREFIX) + strlen(key), value_len = DIGEST_LEN + 1 + len;
	struct value *value = calloc(1, sizeof *value + key_len + 1 + value_len + 1);

	if (!value)
		abort();
	value->key_len = key_len;
	value->len = value_len;
	snprintf(value->bytes, key_len + 1, KEY_PREFIX "%s", key);
	memcpy(value->bytes + key_len + 1 + DIGEST_LEN + 1, bytes, len);
	return value;
}

/* What stands in Redis, with its digest. */
static struct redis_word
seal(struct value *value)
{
	char *word = value->bytes + value->key_len + 1, digest[ID_DIGEST_SIZE];

	digest_of(value->bytes + strlen(KEY_PREFIX), word + DIGEST_LEN + 1, digest);
	memcpy(word, digest, DIGEST_LEN);
	word[DIGEST_LEN] = '\n';
	return (struct redis_word){word, value->len};
}

/* Takes the values. */
static void
write_values(struct cache_redis *tier, struct value *first)
{
	struct redis_word words[PIPELINE_MAX][5];
	struct redis_command commands[PIPELINE_MAX];

	while (first) {
		size_t n = 0;
		int64_t n_bytes = 0;

		for (struct value *value = first; value && n < PIPELINE_MAX; value = value->next, n++) {
			words[n][0] = (struct redis_word){"SET", strlen("SET")};
			words[n][1] = (struct redis_word){value->bytes, value->key_len};
			words[n][2] = seal(value);
			words[n][3] = (struct redis_word){"PX", strlen("PX")};
			words[n][4] = (struct redis_word){tier->ttl_text, strlen(tier->ttl_text)};
			commands[n] = (struct redis_command){.words = words[n], .n_words = 5};
			n_bytes += (int64_t)value->len;
		}
		bool written = redis_run(tier->writer, commands, n, NULL, NULL) == n;
		metrics_add(written ? METRIC_CACHE_REDIS_BYTES : METRIC_CACHE_REDIS_DROPPED,
			    written ? n_bytes : (int64_t)n);
		for (; n > 0; n--) {
			struct value *next = first->next;

			free(first);
			first = next;
		}
	}
}

static void *
run(void *argument)
{
	struct cache_redis *tier = argument;

	pthread_mutex_lock(&tier->mutex);
	for (;;) {
		while (!tier->first && !tier->stopping)
			pthread_cond_wait(&tier->wake, &tier->mutex);
		if (tier->stopping)
			break;
		struct value *first = tier->first;

		tier->first = NULL;
		tier->end = &tier->first;
		tier->queued_bytes = 0;
		pthread_mutex_unlock(&tier->mutex);
		write_values(tier, first);
		pthread_mutex_lock(&tier->mutex);
	}
	pthread_mutex_unlock(&tier->mutex);
	return NULL;
}

static enum status
connect_all(struct cache_redis *tier, const char *redis_url, struct fault *ret_fault)
{
	for (size_t i = 0; i < READERS; i++)
		TRY(redis_create(redis_url, &tier->readers[i], ret_fault));
	return redis_create(redis_url, &tier->writer, ret_fault);
}

enum status
cache_redis_create(const char *redis_url, size_t budget, int64_t ttl_s, struct cache_redis **ret_tier,
		   struct fault *ret_fault)
{
	struct cache_redis *tier = calloc(1, sizeof *tier);

	if (!tier)
		abort();
	tier->budget = budget;
	tier->ttl_ms = ttl_s * 1000;
	snprintf(tier->ttl_text, sizeof tier->ttl_text, "%" PRId64, tier->ttl_ms);
	tier->end = &tier->first;
	pthread_mutex_init(&tier->mutex, NULL);
	pthread_cond_init(&tier->wake, NULL);

	enum status status = connect_all(tier, redis_url, ret_fault);
	if (status != OK) {
		cache_redis_destroy(tier);
		return status;
	}
	tier->thread = thread_start("cache", run, tier);
	tier->has_thread = true;
	*ret_tier = tier;
	return OK;
}

void
cache_redis_destroy(struct cache_redis *tier)
{
	if (!tier)
		return;
	pthread_mutex_lock(&tier->mutex);
	tier->stopping = true;
	pthread_cond_signal(&tier->wake);
	pthread_mutex_unlock(&tier->mutex);
	if (tier->has_thread)
		pthread_join(tier->thread, NULL);
	while (tier->first) {
		struct value *next = tier->first->next;

		free(tier->first);
		tier->first = next;
	}
	for (size_t i = 0; i < READERS; i++)
		redis_destroy(tier->readers[i]);
	redis_destroy(tier->writer);
	pthread_cond_destroy(&tier->wake);
	pthread_mutex_destroy(&tier->mutex);
	free(tier);
}

/* The value out of what stands in Redis under the key; NULL when it is not what was written. */
static const char *
checked(const char *key, const struct redis_reply *reply, size_t *ret_len)
{
	const char *bytes = reply->bytes + DIGEST_LEN + 1;
	char digest[ID_DIGEST_SIZE];

	if (reply->len <= DIGEST_LEN || strlen(reply->bytes) != reply->len)
		return NULL;
	digest_of(key, bytes, digest);
	if (memcmp(digest, reply->bytes, DIGEST_LEN) != 0 || bytes[-1] != '\n')
		return NULL;
	*ret_len = reply->len - DIGEST_LEN - 1;
	return bytes;
}

bool
cache_redis_find(struct cache_redis *tier, const char *key, char **ret_bytes, size_t *ret_len)
{
	CLEANUP(arena_finish) struct arena arena = {0};
	struct redis *redis = tier->readers[atomic_fetch_add(&tier->next_reader, 1) % READERS];
	const char *name = arena_printf(&arena, KEY_PREFIX "%s", key);
	const struct redis_word words[] = {{"GET", strlen("GET")}, {name, strlen(name)}};
	const struct redis_command command = {.words = words, .n_words = 2};
	struct redis_reply reply;
	const char *bytes = NULL;

	if (redis_run(redis, &command, 1, &arena, &reply) == 1 && reply.kind == REPLY_TEXT) {
		bytes = checked(key, &reply, ret_len);
		if (!bytes)
			metrics_add(METRIC_CACHE_REDIS_DAMAGED, 1);
	}
	metrics_add(bytes ? METRIC_CACHE_REDIS_HITS : METRIC_CACHE_REDIS_MISSES, 1);
	if (!bytes)
		return false;
	*ret_bytes = malloc(*ret_len + 1);
	if (!*ret_bytes)
		abort();
	memcpy(*ret_bytes, bytes, *ret_len + 1);
	return true;
}

void
cache_redis_keep(struct cache_redis *tier, const char *key, const char *bytes, size_t len)
{
	struct value *value = make_value(key, bytes, len);
	size_t size = value->key_len + value->len;

	pthread_mutex_lock(&tier->mutex);
	bool taken = tier->queued_bytes + size <= QUEUE_BYTES_MAX && admit(tier, size + ENTRY_OVERHEAD);
	if (taken) {
		*tier->end = value;
		tier->end = &value->next;
		tier->queued_bytes += size;
		pthread_cond_signal(&tier->wake);
	}
	pthread_mutex_unlock(&tier->mutex);
	if (!taken) {
		free(value);
		metrics_add(METRIC_CACHE_REDIS_DROPPED, 1);
	}
}
