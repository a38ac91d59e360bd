/* The pool: callers queue a job that lives on their stack and sleep until a thread of the pool has done it. */
#include "password.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"

/* OWASP's smallest recommended parameters of Argon2id. */
static const unsigned long long PASSES = 2;
static const size_t MEMORY_BYTES = (size_t)19 * 1024 * 1024;

_Static_assert(PASSWORD_HASH_SIZE >= crypto_pwhash_STRBYTES, "a hash must fit");

struct job {
	struct job *next;
	const char *password;
	const char *hash; /* to verify against; NULL: make one */
	char *ret_hash;
	enum status status;
	bool done;
	pthread_cond_t changed;
};

struct password_pool {
	pthread_mutex_t lock; /* guards all below but the constants */
	pthread_cond_t work;
	struct job *first, *last;
	size_t n_waiting;
	size_t n_idle; /* threads that wait for work */
	bool ending;

	size_t queue_max; /* constants */
	size_t n_threads;
	char dummy_hash[PASSWORD_HASH_SIZE];
	pthread_t threads[];
};

static enum status
make_hash(const char *password, char ret_hash[PASSWORD_HASH_SIZE])
{
	if (crypto_pwhash_str_alg(ret_hash, password, strlen(password), PASSES, MEMORY_BYTES,
				  crypto_pwhash_ALG_ARGON2ID13) != 0)
		return ERR_UNAVAILABLE; /* no memory for it now */
	return OK;
}

static enum status
verify_hash(const char *password, const char *hash)
{
	errno = 0;
	if (crypto_pwhash_str_verify(hash, password, strlen(password)) == 0)
		return OK;
	return errno == ENOMEM ? ERR_UNAVAILABLE : ERR_UNAUTHORIZED;
}

/* The next job, or NULL at the end. Called with the lock held. */
static struct job *
next_job(struct password_pool *pool)
{
	struct job *job;

	pool->n_idle++;
	while (pool->first == NULL && !pool->ending)
		pthread_cond_wait(&pool->work, &pool->lock);
	pool->n_idle--;
	job = pool->first;
	if (job != NULL) {
		pool->first = job->next;
		pool->n_waiting--;
	}
	return job;
}

static void *
run(void *argument)
{
	struct password_pool *pool = argument;
	struct job *job;

	pthread_mutex_lock(&pool->lock);
	while ((job = next_job(pool)) != NULL) {
		pthread_mutex_unlock(&pool->lock);
		job->status = job->hash == NULL ? make_hash(job->password, job->ret_hash)
						: verify_hash(job->password, job->hash);
		pthread_mutex_lock(&pool->lock);
		job->done = true;
		pthread_cond_signal(&job->changed);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* Queues the job and waits for it; false when the queue is full. */
static bool
run_job(struct password_pool *pool, struct job *job)
{
	bool accepted;

	pthread_cond_init(&job->changed, NULL);
	pthread_mutex_lock(&pool->lock);
	assert(!pool->ending);
	accepted = pool->n_waiting < pool->queue_max + pool->n_idle;
	if (accepted) {
		if (pool->first == NULL)
			pool->first = job;
		else
			pool->last->next = job;
		pool->last = job;
		pool->n_waiting++;
		pthread_cond_signal(&pool->work);
		while (!job->done)
			pthread_cond_wait(&job->changed, &pool->lock);
	}
	pthread_mutex_unlock(&pool->lock);
	pthread_cond_destroy(&job->changed);
	return accepted;
}

struct password_pool *
password_pool_create(size_t threads, size_t queue)
{
	struct password_pool *pool = calloc(1, sizeof *pool + threads * sizeof pool->threads[0]);

	if (pool == NULL || sodium_init() < 0)
		abort();
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->work, NULL);
	pool->queue_max = queue;
	if (make_hash("nobody has this password", pool->dummy_hash) != OK)
		abort();
	for (; pool->n_threads < threads; pool->n_threads++)
		pool->threads[pool->n_threads] = thread_start("password", run, pool);
	return pool;
}

void
password_pool_destroy(struct password_pool *pool)
{
	if (pool == NULL)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->ending = true;
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->lock);
	for (size_t i = 0; i < pool->n_threads; i++)
		pthread_join(pool->threads[i], NULL);
	pthread_cond_destroy(&pool->work);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

static enum status
refuse_busy(struct fault *ret_fault)
{
	return fault_set(ret_fault, ERR_UNAVAILABLE, "server_busy", NULL,
			 "Too many people log in right now; try again in a moment.");
}

enum status
password_hash(struct password_pool *pool, const char *password, char ret_hash[PASSWORD_HASH_SIZE],
	      struct fault *ret_fault)
{
	struct job job = {.password = password, .ret_hash = ret_hash};

	if (!run_job(pool, &job) || job.status != OK)
		return refuse_busy(ret_fault);
	return OK;
}

enum status
password_verify(struct password_pool *pool, const char *password, const char *hash, struct fault *ret_fault)
{
	struct job job = {.password = password, .hash = hash == NULL ? pool->dummy_hash : hash};

	if (!run_job(pool, &job) || job.status == ERR_UNAVAILABLE)
		return refuse_busy(ret_fault);
	if (hash == NULL || job.status != OK)
		return fault_set(ret_fault, ERR_UNAUTHORIZED, "bad_credentials", NULL,
				 "The username or the password is wrong.");
	return OK;
}

enum status
password_check(const char *password, const char *field, struct fault *ret_fault)
{
	size_t len = strlen(password);

	if (len < PASSWORD_MIN_BYTES)
		return fault_set(ret_fault, ERR_INVALID, "password_too_short", field,
				 "A password has at least %d bytes.", PASSWORD_MIN_BYTES);
	if (len > PASSWORD_MAX_BYTES)
		return fault_set(ret_fault, ERR_INVALID, "password_too_long", field, "A password has at most %d bytes.",
				 PASSWORD_MAX_BYTES);
	return OK;
}
