/* password: hashing, verifying, and the bound of the pool. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "password.h"

static struct password_pool *pool;

static void
a_password_verifies_against_its_own_hash_only(void **state)
{
	static const char *const passwords[] =
		{"correct horse", "correct horsf", "Correct horse", "correct horse ", "", "p\xc3\xa4ssword \xff\x01"};
	enum { N_PASSWORDS = sizeof passwords / sizeof passwords[0] };

	(void)state;
	for (size_t i = 0; i < N_PASSWORDS; i += 5) {
		char hash[PASSWORD_HASH_SIZE];

		assert_int_equal(password_hash(pool, passwords[i], hash, NULL), OK);
		for (size_t j = 0; j < N_PASSWORDS; j++) {
			struct fault fault;
			enum status status = password_verify(pool, passwords[j], hash, &fault);

			assert_int_equal(status, i == j ? OK : ERR_UNAUTHORIZED);
			if (status != OK)
				assert_string_equal(fault.code, "bad_credentials");
		}
	}
}

static void
hashes_are_salted_argon2id(void **state)
{
	static const char start[] = "$argon2id$v=19$m=19456,t=2,p=1$";
	char one[PASSWORD_HASH_SIZE], other[PASSWORD_HASH_SIZE];

	(void)state;
	assert_int_equal(password_hash(pool, "correct horse", one, NULL), OK);
	assert_int_equal(password_hash(pool, "correct horse", other, NULL), OK);
	assert_memory_equal(one, start, sizeof start - 1);
	assert_string_not_equal(one, other);
}

static void
an_unusable_hash_verifies_nothing(void **state)
{
	static const char *const hashes[] = {"", "x", "$argon2id$", "$argon2id$v=19$m=19456,t=2,p=1$AAAA$AAAA"};
	struct fault fault;

	(void)state;
	for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++)
		assert_int_equal(password_verify(pool, "", hashes[i], NULL), ERR_UNAUTHORIZED);
	assert_int_equal(password_verify(pool, "nobody has this password", NULL, &fault), ERR_UNAUTHORIZED);
	assert_string_equal(fault.code, "bad_credentials");
}

/* Compared as sums of several, with a wide margin: it is about a factor of thousands. */
static void
an_unknown_user_costs_a_hash(void **state)
{
	char hash[PASSWORD_HASH_SIZE];
	int64_t known_us, unknown_us, from_us;

	(void)state;
	assert_int_equal(password_hash(pool, "correct horse", hash, NULL), OK);
	from_us = clock_monotonic_us();
	for (int i = 0; i < 3; i++)
		assert_int_equal(password_verify(pool, "wrong", hash, NULL), ERR_UNAUTHORIZED);
	known_us = clock_monotonic_us() - from_us;
	from_us = clock_monotonic_us();
	for (int i = 0; i < 3; i++)
		assert_int_equal(password_verify(pool, "wrong", NULL, NULL), ERR_UNAUTHORIZED);
	unknown_us = clock_monotonic_us() - from_us;
	assert_true(unknown_us > known_us / 10);
}

struct crowd {
	struct password_pool *pool;
	pthread_barrier_t start;
	atomic_int n_done, n_busy;
};

static void *
log_in(void *argument)
{
	struct crowd *crowd = argument;
	char hash[PASSWORD_HASH_SIZE];
	struct fault fault;

	pthread_barrier_wait(&crowd->start);
	if (password_hash(crowd->pool, "correct horse", hash, &fault) == OK)
		crowd->n_done++;
	else if (fault.status == ERR_UNAVAILABLE && strcmp(fault.code, "server_busy") == 0)
		crowd->n_busy++;
	return NULL;
}

/* Returns how many of `n_people` that come at once were served by one thread. */
static int
serve_crowd(size_t queue, int n_people)
{
	struct crowd crowd = {.pool = password_pool_create(1, queue)};
	pthread_t people[32];

	assert_in_range(n_people, 1, 32);
	pthread_barrier_init(&crowd.start, NULL, (unsigned)n_people);
	for (int i = 0; i < n_people; i++)
		assert_int_equal(pthread_create(&people[i], NULL, log_in, &crowd), 0);
	for (int i = 0; i < n_people; i++)
		pthread_join(people[i], NULL);
	pthread_barrier_destroy(&crowd.start);
	password_pool_destroy(crowd.pool);
	assert_int_equal(crowd.n_done + crowd.n_busy, n_people);
	return crowd.n_done;
}

static void
a_full_queue_is_busy(void **state)
{
	(void)state;
	assert_int_equal(serve_crowd(16, 12), 12);
	assert_in_range(serve_crowd(1, 32), 1, 31);
}

static int
create_pool(void **state)
{
	(void)state;
	pool = password_pool_create(2, 8);
	return 0;
}

static int
destroy_pool(void **state)
{
	(void)state;
	password_pool_destroy(pool);
	password_pool_destroy(NULL);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_password_verifies_against_its_own_hash_only),
		cmocka_unit_test(hashes_are_salted_argon2id),
		cmocka_unit_test(an_unusable_hash_verifies_nothing),
		cmocka_unit_test(an_unknown_user_costs_a_hash),
		cmocka_unit_test(a_full_queue_is_busy),
	};

	return cmocka_run_group_tests(tests, create_pool, destroy_pool);
}
