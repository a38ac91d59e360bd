/* cache_memory: the budget to the byte, what goes first, and one maker of a value that many ask for. */
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
#include "cache_memory.h"
#include "metrics.h"

enum { VALUE_LEN = 100, KEY_LEN = 4, N_THREADS = 8, N_TURNS = 4000, N_KEYS = 64 };

static size_t
entry_bytes(void)
{
	return cache_memory_entry_bytes(KEY_LEN, VALUE_LEN);
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
keep(struct cache_memory *memory, int n)
{
	char key[KEY_LEN + 1], value[VALUE_LEN + 1];

	make_key(n, key);
	make_value(n, value);
	cache_memory_keep(memory, key, value, VALUE_LEN);
}

/* Whether it is there, and if so, right. */
static bool
has(struct cache_memory *memory, int n)
{
	char key[KEY_LEN + 1], value[VALUE_LEN + 1], *found;
	size_t len;

	make_key(n, key);
	make_value(n, value);
	if (cache_memory_find(memory, key, &found, &len) != CACHE_FOUND) {
		cache_memory_release(memory, key);
		return false;
	}
	assert_int_equal(len, VALUE_LEN);
	assert_string_equal(found, value);
	free(found);
	return true;
}

static void
the_budget_holds_to_the_byte(void **state)
{
	struct cache_memory *exact = cache_memory_create(10 * entry_bytes());
	struct cache_memory *short_of_one = cache_memory_create(10 * entry_bytes() - 1);

	(void)state;
	for (int i = 0; i < 10; i++) {
		keep(exact, i);
		keep(short_of_one, i);
		assert_int_equal(cache_memory_bytes(exact), (size_t)(i + 1) * entry_bytes());
	}
	assert_int_equal(cache_memory_bytes(short_of_one), 9 * entry_bytes());
	assert_true(has(exact, 0));
	assert_false(has(short_of_one, 0));
	assert_true(has(short_of_one, 1));
	cache_memory_destroy(exact);
	cache_memory_destroy(short_of_one);
}

static void
what_was_used_least_recently_goes_first(void **state)
{
	struct cache_memory *memory = cache_memory_create(10 * entry_bytes());
	int64_t evicted = metrics_get(METRIC_CACHE_MEMORY_EVICTED);

	(void)state;
	for (int i = 0; i < 10; i++)
		keep(memory, i);
	assert_true(has(memory, 0)); /* reading is a use */
	keep(memory, 1);             /* so is writing */
	keep(memory, 10);
	keep(memory, 11);
	for (int i = 0; i <= 11; i++)
		assert_int_equal(has(memory, i), i != 2 && i != 3);
	assert_int_equal(metrics_get(METRIC_CACHE_MEMORY_EVICTED) - evicted, 2);
	cache_memory_destroy(memory);
}

static void
a_key_is_written_over(void **state)
{
	struct cache_memory *memory = cache_memory_create(1000000);
	char *found;
	size_t len;

	(void)state;
	cache_memory_keep(memory, "key", "long and old", 12);
	cache_memory_keep(memory, "key", "new", 3);
	assert_int_equal(cache_memory_bytes(memory), cache_memory_entry_bytes(3, 3));
	assert_int_equal(cache_memory_find(memory, "key", &found, &len), CACHE_FOUND);
	assert_string_equal(found, "new");
	assert_int_equal(len, 3);
	free(found);
	cache_memory_keep(memory, "key", "", 0);
	assert_int_equal(cache_memory_find(memory, "key", &found, &len), CACHE_FOUND);
	assert_string_equal(found, "");
	assert_int_equal(len, 0);
	free(found);
	cache_memory_destroy(memory);
}

static void
a_key_is_not_its_beginning(void **state)
{
	struct cache_memory *memory = cache_memory_create(1000000);
	char *found;
	size_t len;

	(void)state;
	cache_memory_keep(memory, "page:12", "twelve", 6);
	assert_int_equal(cache_memory_find(memory, "page:1", &found, &len), CACHE_MISSING);
	assert_int_equal(cache_memory_find(memory, "page:123", &found, &len), CACHE_MISSING);
	cache_memory_destroy(memory); /* also what nobody has released */
}

static void
large_values_are_refused(void **state)
{
	size_t largest = entry_bytes();
	struct cache_memory *memory = cache_memory_create(8 * largest);
	char value[VALUE_LEN + 2];

	(void)state;
	for (int i = 0; i < 8; i++)
		keep(memory, i);
	memset(value, 'x', sizeof value);
	cache_memory_keep(memory, "k900", value, VALUE_LEN + 1);
	assert_int_equal(cache_memory_bytes(memory), 8 * largest);
	for (int i = 0; i < 8; i++)
		assert_true(has(memory, i));
	assert_false(has(memory, 900));
	cache_memory_destroy(memory);
}

struct crowd {
	struct cache_memory *memory;
	bool is_kept;
	atomic_int n_made, n_found, n_unshared;
};

/* Who finds nothing makes the value, and is slow. */
static void *
ask_for_the_hot_one(void *argument)
{
	struct crowd *crowd = argument;
	char *found = NULL;
	size_t len;

	switch (cache_memory_find(crowd->memory, "hot", &found, &len)) {
	case CACHE_FOUND:
		atomic_fetch_add(&crowd->n_found, 1);
		assert_string_equal(found, "made once");
		free(found);
		break;
	case CACHE_MISSING:
		atomic_fetch_add(&crowd->n_made, 1);
		nanosleep(&(struct timespec){.tv_nsec = 30 * 1000000}, NULL);
		if (crowd->is_kept)
			cache_memory_keep(crowd->memory, "hot", "made once", 9);
		cache_memory_release(crowd->memory, "hot");
		break;
	case CACHE_UNSHARED:
		atomic_fetch_add(&crowd->n_unshared, 1);
		break;
	}
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
	struct crowd crowd = {.memory = cache_memory_create(1000000), .is_kept = true};

	(void)state;
	let_all_ask(&crowd);
	assert_int_equal(crowd.n_made, 1);
	assert_int_equal(crowd.n_made + crowd.n_found + crowd.n_unshared, N_THREADS);
	cache_memory_destroy(crowd.memory);
}

/* What one could not keep the others don't make one after the other. */
static void
nobody_waits_twice(void **state)
{
	struct crowd crowd = {.memory = cache_memory_create(1000000)};
	int64_t began_ms = clock_monotonic_ms();

	(void)state;
	assert_int_equal(cache_memory_find(crowd.memory, "hot", NULL, NULL), CACHE_MISSING);
	let_all_ask(&crowd); /* the maker is stuck */
	assert_int_equal(crowd.n_unshared, N_THREADS);
	assert_true(clock_monotonic_ms() - began_ms >= CACHE_MEMORY_WAIT_MS);
	cache_memory_release(crowd.memory, "hot");
	let_all_ask(&crowd);
	assert_int_equal(crowd.n_found, 0);
	assert_true(crowd.n_made >= 1);
	cache_memory_destroy(crowd.memory);
}

static void *
hammer(void *argument)
{
	struct cache_memory *memory = argument;
	unsigned seed = (unsigned)(uintptr_t)pthread_self();

	for (int i = 0; i < N_TURNS; i++) {
		int n = rand_r(&seed) % N_KEYS;

		if (rand_r(&seed) % 4 == 0)
			keep(memory, n);
		else
			has(memory, n);
	}
	return NULL;
}

static void
threads_share_it(void **state)
{
	struct cache_memory *memory = cache_memory_create(N_KEYS / 2 * entry_bytes());
	pthread_t threads[N_THREADS];

	(void)state;
	for (size_t i = 0; i < N_THREADS; i++)
		threads[i] = thread_start("hammers", hammer, memory);
	for (size_t i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(cache_memory_bytes(memory), N_KEYS / 2 * entry_bytes());
	cache_memory_destroy(memory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_budget_holds_to_the_byte),
		cmocka_unit_test(what_was_used_least_recently_goes_first),
		cmocka_unit_test(a_key_is_written_over),
		cmocka_unit_test(a_key_is_not_its_beginning),
		cmocka_unit_test(large_values_are_refused),
		cmocka_unit_test(one_makes_what_many_ask_for),
		cmocka_unit_test(nobody_waits_twice),
		cmocka_unit_test(threads_share_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
