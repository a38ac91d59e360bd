/* base/id: UUIDs, secrets and digests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/id.h"

#define ANNA "0190a5e2-0000-7000-8000-00000000000a"
#define BOB "0190a5e2-0000-7000-8000-00000000000b"

static int64_t fixed_ms; /* what the wall clock says; 0: the time */

/* Takes the place of libc's. */
int
clock_gettime(clockid_t clock, struct timespec *ret_time)
{
	if (clock != CLOCK_REALTIME || fixed_ms == 0)
		return (int)syscall(SYS_clock_gettime, clock, ret_time);
	*ret_time = (struct timespec){.tv_sec = fixed_ms / 1000, .tv_nsec = fixed_ms % 1000 * 1000000};
	return 0;
}

static void
new_ids_are_version_7_and_ascend(void **state)
{
	char before[ID_SIZE] = "";
	char id[ID_SIZE];

	(void)state;
	for (int i = 0; i < 20000; i++) {
		id_make(id);
		assert_true(id_is_valid(id));
		assert_int_equal(id[14], '7');
		assert_non_null(strchr("89ab", id[19]));
		assert_true(strcmp(before, id) < 0);
		memcpy(before, id, ID_SIZE);
	}
}

/* The time as the id holds it. */
static int64_t
time_of(const char *id)
{
	char hex[13];

	memcpy(hex, id, 8);
	memcpy(hex + 8, id + 9, 4);
	hex[12] = '\0';
	return strtoll(hex, NULL, 16);
}

static void
new_ids_carry_the_time(void **state)
{
	char id[ID_SIZE];

	(void)state;
	fixed_ms = 0xedcba9876543; /* ahead of all ids made before */
	id_make(id);
	assert_memory_equal(id, "edcba987-6543-7", 15);
	fixed_ms = 0;
}

static void
ids_ascend_through_a_crowded_millisecond_and_a_step_back(void **state)
{
	char before[ID_SIZE] = "";
	char id[ID_SIZE];

	(void)state;
	fixed_ms = 0xf00000000000;
	for (int i = 0; i < 20000; i++) { /* a millisecond has room for 4,096 at most */
		if (i == 10000)
			fixed_ms -= 60000;
		id_make(id);
		assert_true(strcmp(before, id) < 0);
		memcpy(before, id, ID_SIZE);
	}
	assert_in_range(time_of(id), 0xf00000000000 + 4, 0xf00000000000 + 10);
	fixed_ms = 0;
}

enum { N_THREADS = 4, N_IDS = 2000 };

static void *
make_ids(void *argument)
{
	char(*ids)[ID_SIZE] = argument;

	for (int i = 0; i < N_IDS; i++)
		id_make(ids[i]);
	return NULL;
}

static int
compare_ids(const void *one, const void *other)
{
	return strcmp(one, other);
}

static void
ids_of_several_threads_differ(void **state)
{
	static char ids[N_THREADS * N_IDS][ID_SIZE];
	pthread_t threads[N_THREADS];

	(void)state;
	for (int i = 0; i < N_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, make_ids, ids[i * N_IDS]), 0);
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	qsort(ids, N_THREADS * N_IDS, ID_SIZE, compare_ids);
	for (int i = 1; i < N_THREADS * N_IDS; i++)
		assert_string_not_equal(ids[i - 1], ids[i]);
}

static void
ids_are_checked_and_normalized(void **state)
{
	static const struct {
		const char *text;
		const char *normal; /* NULL: refused */
	} cases[] = {
		{ANNA, ANNA},
		{"0190A5E2-0000-7000-8000-00000000000A", ANNA},
		{"00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000000"},
		{"", NULL},
		{NULL, NULL},
		{"0190a5e2-0000-7000-8000-00000000000", NULL},
		{"0190a5e2-0000-7000-8000-00000000000aa", NULL},
		{"0190a5e2-0000-7000-8000-00000000000g", NULL},
		{"0190a5e200007000800000000000000a0000", NULL},
		{"0190a5e2-0000-7000-8000 00000000000a", NULL},
		{"{190a5e2-0000-7000-8000-00000000000}", NULL},
		{"0190a5e2-0000-7000-8000-0000000000\xc3\xa4", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char id[ID_SIZE] = "untouched";

		assert_int_equal(id_is_valid(cases[i].text), cases[i].normal != NULL);
		assert_int_equal(id_normalize(cases[i].text, id), cases[i].normal != NULL);
		assert_string_equal(id, cases[i].normal == NULL ? "untouched" : cases[i].normal);
	}
}

/* The expected ids are those of Python's uuid.uuid5. */
static void
direct_conversations_have_one_id_for_both(void **state)
{
	char id[ID_SIZE];

	(void)state;
	id_direct_conversation(ANNA, BOB, id);
	assert_string_equal(id, "f665eb86-ee0c-5996-acd6-a42f394d1a09");
	id_direct_conversation(BOB, "0190A5E2-0000-7000-8000-00000000000A", id);
	assert_string_equal(id, "f665eb86-ee0c-5996-acd6-a42f394d1a09");
	id_direct_conversation(ANNA, ANNA, id);
	assert_string_equal(id, "4c1a4733-a975-5853-bd46-5076ffd8f1aa");
}

static void
secrets_are_long_and_differ(void **state)
{
	char one[ID_SECRET_SIZE], other[ID_SECRET_SIZE];
	char hash[ID_SECRET_SIZE], again[ID_SECRET_SIZE];

	(void)state;
	id_make_secret(one);
	id_make_secret(other);
	assert_int_equal(strlen(one), ID_SECRET_SIZE - 1);
	assert_int_equal(strspn(one, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), strlen(one));
	assert_string_not_equal(one, other);
	id_hash_secret(one, strlen(one), hash);
	id_hash_secret(one, strlen(one), again);
	assert_string_equal(hash, again);
	assert_string_not_equal(hash, one);
	id_hash_secret(other, strlen(other), again);
	assert_string_not_equal(hash, again);
	id_hash_secret("abc", 3, hash); /* BLAKE2b-256 as Python's hashlib gives it */
	assert_string_equal(hash, "vd2BPGNCOXIxce8_7phXm5SWTjuxyz5CcmLIwGjVIxk");
}

static void
digests_tell_any_two_lists_of_parts_apart(void **state)
{
	static const struct {
		const char *parts[3];
		size_t n_parts;
	} cases[] = {
		{{"a", "b", "c"}, 3},  {{"ab", "", "c"}, 3},
		{{"a", "bc", ""}, 3},  {{"a", "b", NULL}, 3},
		{{"a", "b", ""}, 3},   {{"a", "b"}, 2},
		{{"a", NULL, "b"}, 3}, {{"", "", ""}, 3},
		{{NULL}, 1},           {{""}, 1},
		{{NULL}, 0},
	};
	enum { N_CASES = sizeof cases / sizeof cases[0] };
	char digests[N_CASES][ID_DIGEST_SIZE], again[ID_DIGEST_SIZE];

	(void)state;
	for (size_t i = 0; i < N_CASES; i++) {
		id_digest(cases[i].parts, cases[i].n_parts, digests[i]);
		id_digest(cases[i].parts, cases[i].n_parts, again);
		assert_int_equal(strlen(again), ID_DIGEST_SIZE - 1);
		assert_string_equal(digests[i], again);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(digests[i], digests[j]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_ids_are_version_7_and_ascend),
		cmocka_unit_test(new_ids_carry_the_time),
		cmocka_unit_test(ids_ascend_through_a_crowded_millisecond_and_a_step_back),
		cmocka_unit_test(ids_of_several_threads_differ),
		cmocka_unit_test(ids_are_checked_and_normalized),
		cmocka_unit_test(direct_conversations_have_one_id_for_both),
		cmocka_unit_test(secrets_are_long_and_differ),
		cmocka_unit_test(digests_tell_any_two_lists_of_parts_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
