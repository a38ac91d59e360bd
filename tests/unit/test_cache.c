/* cache: the budget to the byte, what goes first, and one maker of a value that many ask for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/thread.h"
#include "cache.h"
#include "metrics.h"

enum { VALUE_LEN = 100, KEY_LEN = 4, N_THREADS = 8, N_TURNS = 4000, N_KEYS = 64 };

static size_t
entry_bytes(void)
{
	return cache_entry_bytes(KEY_LEN, VALUE_LEN);
}

static void
make_key(int n, char ret_key[KEY_LEN + 1])
{
	snprintf(ret_key, KEY_LEN + 1, "k%03u", (unsigned)n % 1000);
}

/* VALUE_LEN bytes that only this key has. */
static void
make_value(int n, char ret_value[VALUE_LEN + 1])
{
	snprintf(ret_value, VALUE_LEN + 1, "%0*d", VALUE_LEN, n);
}

static void
keep_text(struct cache *cache, const char *key, const char *text, size_t len)
{
	struct cache_miss miss;
	char *bytes;
	size_t found_len;

	if (cache_find(cache, key, &bytes, &found_len, &miss)) { /* written over all the same */
		free(bytes);
		miss = cache_outdated(cache, key);
	}
	cache_keep(&miss, text, len);
	cache_miss_end(&miss);
}

/* Whether the key has this text. */
static bool
has_text(struct cache *cache, const char *key, const char *text)
{
	struct cache_miss miss;
	char *bytes;
	size_t len;
	bool found = cache_find(cache, key, &bytes, &len, &miss);

	cache_miss_end(&miss);
	if (!found)
		return false;
	assert_int_equal(len, strlen(text));
	assert_string_equal(bytes, text);
	free(bytes);
	return true;
}

static void
keep(struct cache *cache, int n)
{
	char key[KEY_LEN + 1], value[VALUE_LEN + 1];

	make_key(n, key);
	make_value(n, value);
	keep_text(cache, key, value, VALUE_LEN);
}

/* Whether it is there, and if so, right. */
static bool
has(struct cache *cache, int n)
{
	char key[KEY_LEN + 1], value[VALUE_LEN + 1];

	make_key(n, key);
	make_value(n, value);
	return has_text(cache, key, value);
}

static void
the_budget_holds_to_the_byte(void **state)
{
	struct cache *exact = cache_create(10 * entry_bytes());
	struct cache *short_of_one = cache_create(10 * entry_bytes() - 1);

	(void)state;
	for (int i = 0; i < 10; i++) {
		keep(exact, i);
		keep(short_of_one, i);
		assert_int_equal(cache_bytes(exact), (size_t)(i + 1) * entry_bytes());
	}
	assert_int_equal(cache_bytes(short_of_one), 9 * entry_bytes());
	assert_true(has(exact, 0));
	assert_false(has(short_of_one, 0));
	assert_true(has(short_of_one, 1));
	cache_destroy(exact);
	cache_destroy(short_of_one);
}

static void
what_was_used_least_recently_goes_first(void **state)
{
	struct cache *cache = cache_create(10 * entry_bytes());
	int64_t evicted = metrics_get(METRIC_CACHE_EVICTED);

	(void)state;
	for (int i = 0; i < 10; i++)
		keep(cache, i);
	assert_true(has(cache, 0)); /* reading is a use */
	keep(cache, 1);             /* so is writing */
	keep(cache, 10);
	keep(cache, 11);
	for (int i = 0; i <= 11; i++)
		assert_int_equal(has(cache, i), i != 2 && i != 3);
	assert_int_equal(metrics_get(METRIC_CACHE_EVICTED) - evicted, 2);
	cache_destroy(cache);
}

static void
a_key_is_written_over(void **state)
{
	struct cache *cache = cache_create(1000000);

	(void)state;
	keep_text(cache, "key", "long and old", 12);
	keep_text(cache, "key", "new", 3);
	assert_int_equal(cache_bytes(cache), cache_entry_bytes(3, 3));
	assert_true(has_text(cache, "key", "new"));
	keep_text(cache, "key", "", 0);
	assert_true(has_text(cache, "key", ""));
	cache_destroy(cache);
}

static void
a_key_is_not_its_beginning(void **state)
{
	struct cache *cache = cache_create(1000000);
	struct cache_miss miss;
	char *bytes;
	size_t len;

	(void)state;
	keep_text(cache, "page:12", "twelve", 6);
	assert_false(has_text(cache, "page:1", "twelve"));
	assert_false(cache_find(cache, "page:123", &bytes, &len, &miss));
	cache_destroy(cache); /* also what nobody has made */
}

static void
it_can_be_off(void **state)
{
	(void)state;
	assert_null(cache_create(0));
	keep_text(NULL, "key", "nowhere", 7);
	assert_false(has_text(NULL, "key", "nowhere"));
	cache_destroy(NULL);
}

static void
large_values_are_refused(void **state)
{
	size_t largest = entry_bytes();
	struct cache *cache = cache_create(8 * largest);
	char value[VALUE_LEN + 2];

	(void)state;
	for (int i = 0; i < 8; i++)
		keep(cache, i);
	memset(value, 'x', sizeof value);
	keep_text(cache, "k900", value, VALUE_LEN + 1);
	assert_int_equal(cache_bytes(cache), 8 * largest);
	for (int i = 0; i < 8; i++)
		assert_true(has(cache, i));
	assert_false(has(cache, 900));
	cache_destroy(cache);
}

struct crowd {
	struct cache *cache;
	bool is_kept;
	atomic_int n_made, n_found, n_unshared;
};

/* Who finds nothing makes the value, and is slow. */
static void *
ask_for_the_hot_one(void *argument)
{
	struct crowd *crowd = argument;
	struct cache_miss miss;
	char *bytes;
	size_t len;

	if (cache_find(crowd->cache, "hot", &bytes, &len, &miss)) {
		atomic_fetch_add(&crowd->n_found, 1);
		assert_string_equal(bytes, "made once");
		free(bytes);
	} else if (miss.is_awaited) {
		atomic_fetch_add(&crowd->n_made, 1);
		nanosleep(&(struct timespec){.tv_nsec = 30 * 1000000}, NULL);
		if (crowd->is_kept)
			cache_keep(&miss, "made once", 9);
	} else {
		atomic_fetch_add(&crowd->n_unshared, 1);
	}
	cache_miss_end(&miss);
	return NULL;
}

static void
let_all_ask(struct crowd *crowd)
{
	pthread_t threads[N_THREADS];

	for (size_t i = 0; i < N_THREADS; i++)
		threads[i] = thread_start("asks", ask_for_the_hot_one, crowd);
	for (size_t i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void
one_makes_what_many_ask_for(void **state)
{
	struct crowd crowd = {.cache = cache_create(1000000), .is_kept = true};

	(void)state;
	let_all_ask(&crowd);
	assert_int_equal(crowd.n_made, 1);
	assert_int_equal(crowd.n_made + crowd.n_found + crowd.n_unshared, N_THREADS);
	cache_destroy(crowd.cache);
}

/* What one could not keep the others don't make one after the other. */
static void
nobody_waits_twice(void **state)
{
	struct crowd crowd = {.cache = cache_create(1000000)};
	int64_t began_ms = clock_monotonic_ms();
	struct cache_miss miss;
	char *bytes;
	size_t len;

	(void)state;
	assert_false(cache_find(crowd.cache, "hot", &bytes, &len, &miss));
	assert_true(miss.is_awaited);
	let_all_ask(&crowd); /* the maker is stuck */
	assert_int_equal(crowd.n_unshared, N_THREADS);
	assert_true(clock_monotonic_ms() - began_ms >= CACHE_WAIT_MS);
	cache_miss_end(&miss);
	let_all_ask(&crowd);
	assert_int_equal(crowd.n_found, 0);
	assert_true(crowd.n_made >= 1);
	cache_destroy(crowd.cache);
}

static void *
hammer(void *argument)
{
	struct cache *cache = argument;
	unsigned seed = (unsigned)(uintptr_t)pthread_self();

	for (int i = 0; i < N_TURNS; i++) {
		int n = rand_r(&seed) % N_KEYS;

		if (rand_r(&seed) % 4 == 0)
			keep(cache, n);
		else
			has(cache, n);
	}
	return NULL;
}

static void
threads_share_it(void **state)
{
	struct cache *cache = cache_create(N_KEYS / 2 * entry_bytes());
	pthread_t threads[N_THREADS];

	(void)state;
	for (size_t i = 0; i < N_THREADS; i++)
		threads[i] = thread_start("hammers", hammer, cache);
	for (size_t i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(cache_bytes(cache), N_KEYS / 2 * entry_bytes());
	cache_destroy(cache);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_budget_holds_to_the_byte),
		cmocka_unit_test(what_was_used_least_recently_goes_first),
		cmocka_unit_test(a_key_is_written_over),
		cmocka_unit_test(a_key_is_not_its_beginning),
		cmocka_unit_test(it_can_be_off),
		cmocka_unit_test(large_values_are_refused),
		cmocka_unit_test(one_makes_what_many_ask_for),
		cmocka_unit_test(nobody_waits_twice),
		cmocka_unit_test(threads_share_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
