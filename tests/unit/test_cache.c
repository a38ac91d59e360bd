/* cache: both tiers with a real Redis that forgets, holds what is damaged, and dies. */
#include "support/redis_server.h"

#include "base/arena.h"
#include "base/thread.h"
#include "cache.h"
#include "cache_redis.h"
#include "metrics.h"
#include "redis.h"

static struct redis_server server;

static int
set_up(void **state)
{
	(void)state;
	redis_server_init(&server);
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	redis_server_finish(&server);
	return 0;
}

static struct cache *
make_cache(int64_t memory_bytes, int64_t redis_bytes)
{
	const struct cache_limits limits = {memory_bytes, redis_bytes, 60};
	struct fault fault = {0};
	struct cache *cache;

	assert_int_equal(cache_create(&limits, server.url, &cache, &fault), OK);
	return cache;
}

/* A copy of what is found, in the arena; NULL: nothing, and then it is not kept either. */
static const char *
find(struct cache *cache, const char *key, struct arena *arena)
{
	struct cache_miss miss;
	const char *copy = NULL;
	char *bytes;
	size_t len;

	if (cache_find(cache, key, &bytes, &len, &miss)) {
		assert_int_equal(strlen(bytes), len);
		copy = arena_strdup(arena, bytes);
		free(bytes);
	}
	cache_miss_end(&miss);
	return copy;
}

static void
keep(struct cache *cache, const char *key, const char *text)
{
	struct cache_miss miss;
	char *bytes;
	size_t len;

	assert_false(cache_find(cache, key, &bytes, &len, &miss));
	cache_keep(&miss, text, strlen(text));
	cache_miss_end(&miss);
}

/* Runs a command of words (NULL-terminated) and returns the reply. */
static struct redis_reply
ask(struct arena *arena, const char *const *words)
{
	struct redis_word all[8];
	struct redis_command command = {.words = all};
	struct redis_reply reply = {0};
	struct redis *redis;

	for (; words[command.n_words]; command.n_words++)
		all[command.n_words] = (struct redis_word){words[command.n_words], strlen(words[command.n_words])};
	assert_int_equal(redis_create(server.url, &redis, NULL), OK);
	assert_int_equal(redis_run(redis, &command, 1, arena, &reply), 1);
	redis_destroy(redis);
	return reply;
}
#define ASK(arena, ...) ask(arena, (const char *const[]){__VA_ARGS__, NULL})

static bool
stands_in_redis(const char *key)
{
	struct arena arena = {0};
	long long n = ASK(&arena, "EXISTS", key).integer;

	arena_finish(&arena);
	return n == 1;
}

static void
one_process_reads_what_another_has_kept(void **state)
{
	struct cache *one = make_cache(1 << 20, 1 << 20), *other = make_cache(1 << 20, 1 << 20);
	int64_t hits = metrics_get(METRIC_CACHE_REDIS_HITS);
	struct arena arena = {0};

	(void)state;
	redis_server_start(&server);
	assert_null(find(one, "key", &arena));
	keep(one, "key", "{\"a\":\"ready answer\"}");
	assert_string_equal(find(one, "key", &arena), "{\"a\":\"ready answer\"}");
	WAIT_FOR(stands_in_redis("cache:key"));
	assert_string_equal(find(other, "key", &arena), "{\"a\":\"ready answer\"}");
	assert_int_equal(metrics_get(METRIC_CACHE_REDIS_HITS) - hits, 1);
	assert_true(ASK(&arena, "PTTL", "cache:key").integer > 50000);

	ASK(&arena, "FLUSHALL");
	assert_string_equal(find(other, "key", &arena), "{\"a\":\"ready answer\"}"); /* from its memory now */
	cache_destroy(other);
	other = make_cache(1 << 20, 1 << 20);
	assert_null(find(other, "key", &arena));
	cache_destroy(one);
	cache_destroy(other);
	arena_finish(&arena);
	redis_server_stop(&server);
}

static void
what_is_damaged_is_not_found(void **state)
{
	struct cache *cache = make_cache(0, 1 << 20);
	struct arena arena = {0};

	(void)state;
	redis_server_start(&server);
	keep(cache, "key", "[1,2,3]");
	WAIT_FOR(stands_in_redis("cache:key"));
	const char *whole = ASK(&arena, "GET", "cache:key").bytes;
	size_t len = strlen(whole);

	assert_string_equal(find(cache, "key", &arena), "[1,2,3]");
	for (size_t i = 0; i <= len; i++) { /* cut at any length, then with any one byte changed */
		int64_t damaged = metrics_get(METRIC_CACHE_REDIS_DAMAGED);

		ASK(&arena, "SET", "cache:key", i < len ? arena_memdup(&arena, whole, i) : whole);
		assert_int_equal(find(cache, "key", &arena) != NULL, i == len);
		assert_int_equal(metrics_get(METRIC_CACHE_REDIS_DAMAGED) - damaged, i < len);
		char *changed = arena_strdup(&arena, whole);
		if (i < len) {
			changed[i] ^= 1;
			ASK(&arena, "SET", "cache:key", changed);
			assert_null(find(cache, "key", &arena));
		}
	}
	ASK(&arena, "SET", "cache:key", arena_printf(&arena, "%s,", whole));
	assert_null(find(cache, "key", &arena));
	ASK(&arena, "SET", "cache:key", whole);
	ASK(&arena, "SETRANGE", "cache:key", arena_printf(&arena, "%zu", len + 1), "x"); /* with a NUL inside */
	assert_null(find(cache, "key", &arena));
	ASK(&arena, "SET", "cache:another", whole); /* what stands under another key is not its value */
	assert_null(find(cache, "another", &arena));
	cache_destroy(cache);
	arena_finish(&arena);
	redis_server_stop(&server);
}

static void
redis_may_not_be_there(void **state)
{
	struct cache *cache = make_cache(1 << 20, 1 << 20), *reader = make_cache(0, 1 << 20);
	struct arena arena = {0};
	int n = 0;

	(void)state;
	keep(cache, "key", "in memory");
	assert_string_equal(find(cache, "key", &arena), "in memory");
	assert_null(find(reader, "key", &arena));

	redis_server_start(&server); /* which the breakers notice */
	WAIT_FOR((keep(cache, arena_printf(&arena, "later %d", ++n), "both"),
		  find(reader, arena_printf(&arena, "later %d", n), &arena)));
	redis_server_stop(&server);
	assert_string_equal(find(cache, arena_printf(&arena, "later %d", n), &arena), "both");
	assert_null(find(reader, arena_printf(&arena, "later %d", n), &arena));
	cache_destroy(cache);
	cache_destroy(reader);
	arena_finish(&arena);
}

/* Whatever is read, Redis never holds more of one process than its budget. */
static void
the_budget_of_redis_holds(void **state)
{
	enum { BUDGET = 300000, LEN = 5000 };
	struct cache *cache = make_cache(0, BUDGET);
	int64_t dropped = metrics_get(METRIC_CACHE_REDIS_DROPPED);
	int64_t written = metrics_get(METRIC_CACHE_REDIS_BYTES);
	struct arena arena = {0};
	char *text = arena_alloc(&arena, LEN + 1);

	(void)state;
	redis_server_start(&server);
	memset(text, 'x', LEN);
	for (int i = 0; i < 200; i++)
		keep(cache, arena_printf(&arena, "key %d", i), text);
	WAIT_FOR(metrics_get(METRIC_CACHE_REDIS_BYTES) - written >
		 (200 - (metrics_get(METRIC_CACHE_REDIS_DROPPED) - dropped)) * LEN);
	written = metrics_get(METRIC_CACHE_REDIS_BYTES) - written;
	assert_true(written <= BUDGET / 3 && written >= BUDGET / 3 - 2 * LEN);
	cache_destroy(cache);
	arena_finish(&arena);
	redis_server_stop(&server);
}

static void
either_tier_can_be_off(void **state)
{
	struct cache *none = make_cache(0, 0), *memory = make_cache(1 << 20, 0);
	struct arena arena = {0};

	(void)state;
	keep(NULL, "key", "nowhere");
	assert_null(find(NULL, "key", &arena));
	keep(none, "key", "nowhere");
	assert_null(find(none, "key", &arena));
	keep(memory, "key", "here");
	assert_string_equal(find(memory, "key", &arena), "here");
	cache_destroy(none);
	cache_destroy(memory);
	cache_destroy(NULL);
	arena_finish(&arena);
}

static void
what_is_too_long_is_not_kept(void **state)
{
	struct cache *cache = make_cache(1 << 26, 0);
	struct arena arena = {0};
	char *text = arena_alloc(&arena, CACHE_VALUE_MAX + 2);

	(void)state;
	memset(text, 'x', CACHE_VALUE_MAX + 1);
	keep(cache, "too long", text);
	assert_null(find(cache, "too long", &arena));
	text[CACHE_VALUE_MAX] = '\0';
	keep(cache, "just right", text);
	assert_string_equal(find(cache, "just right", &arena), text);
	cache_destroy(cache);
	arena_finish(&arena);
}

static void
a_bad_address_is_refused(void **state)
{
	const struct cache_limits limits = {0, 1, 60};
	struct fault fault = {0};
	struct cache *cache;

	(void)state;
	assert_int_equal(cache_create(&limits, "http://localhost", &cache, &fault), ERR_INVALID);
	assert_string_equal(fault.field, "redis.url");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_process_reads_what_another_has_kept),
		cmocka_unit_test(what_is_damaged_is_not_found),
		cmocka_unit_test(redis_may_not_be_there),
		cmocka_unit_test(the_budget_of_redis_holds),
		cmocka_unit_test(either_tier_can_be_off),
		cmocka_unit_test(what_is_too_long_is_not_kept),
		cmocka_unit_test(a_bad_address_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
