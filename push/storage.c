/* The database threads: each opens its connection when the first job comes; it is made again after it was lost. */
#include "storage.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <uv.h>

#include "log.h"

struct storage {
	const char *database_url;
	struct loop *loop;
	uv_thread_t *threads;
	size_t n_threads;
	atomic_uint_fast64_t n_connections; /* made by all threads */
	uv_mutex_t mutex;                   /* guards first, last, stopping */
	uv_cond_t wake;
	struct storage_job *first, *last;
	bool stopping;
};

static void
run_done(struct loop_item *item)
{
	struct storage_job *job = (struct storage_job *)item;

	job->done(job);
}

static void
post_back(struct storage *storage, struct storage_job *job)
{
	job->item.run = run_done;
	loop_post(storage->loop, &job->item);
}

static struct storage_job *
take_job(struct storage *storage)
{
	struct storage_job *job = NULL;

	uv_mutex_lock(&storage->mutex);
	while (!storage->first && !storage->stopping)
		uv_cond_wait(&storage->wake, &storage->mutex);
	if (!storage->stopping) {
		job = storage->first;
		storage->first = job->next;
		if (!storage->first)
			storage->last = NULL;
	}
	uv_mutex_unlock(&storage->mutex);
	return job;
}

/* `counted`: how many of this handle's connections have been counted already. */
static void
count_connections(struct storage *storage, const struct db *db, uint64_t *counted)
{
	uint64_t made = db_connection_number(db);

	atomic_fetch_add(&storage->n_connections, made - *counted);
	*counted = made;
}

static void
run_job(struct storage *storage, struct storage_job *job, struct db **db, uint64_t *counted)
{
	if (!*db)
		*counted = 0;
	if (!*db && db_open(storage->database_url, DB_ACCESS_READER, db, &job->fault) != OK) {
		*db = NULL;
		job->status = ERR_UNAVAILABLE;
		return;
	}
	job->work(job, *db);
	if (db_in_transaction(*db))
		db_rollback(*db);
	count_connections(storage, *db, counted);
	if (job->status == ERR_INTERNAL || job->status == ERR_UNAVAILABLE) {
		log_warn("storage_failed", LOG_S("status", status_name(job->status)), LOG_S("error", db_error(*db)));
		db_doubt(db); /* the next job starts with a connection that is known to be good */
	}
}

static void
thread_main(void *argument)
{
	struct storage *storage = argument;
	struct storage_job *job;
	struct db *db = NULL;
	uint64_t counted = 0;

	while ((job = take_job(storage))) {
		run_job(storage, job, &db, &counted);
		post_back(storage, job);
	}
	if (db)
		db_close(db);
}

enum status
storage_create(const char *database_url, size_t threads, struct loop *loop, struct storage **ret_storage,
	       struct fault *ret_fault)
{
	struct storage *storage = calloc(1, sizeof *storage);

	if (!storage || !(storage->threads = calloc(threads, sizeof *storage->threads)))
		abort();
	storage->database_url = database_url;
	storage->loop = loop;
	if (uv_mutex_init(&storage->mutex) < 0 || uv_cond_init(&storage->wake) < 0)
		abort();
	for (size_t i = 0; i < threads; i++) {
		if (uv_thread_create(&storage->threads[i], thread_main, storage) < 0) {
			storage_stop(storage);
			storage_destroy(storage);
			return fault_set(ret_fault, ERR_UNAVAILABLE, "threads", NULL,
					 "no thread can be started: raise the limit of processes (ulimit -u)");
		}
		storage->n_threads++;
	}
	*ret_storage = storage;
	return OK;
}

void
storage_submit(struct storage *storage, struct storage_job *job)
{
	bool stopping;

	job->next = NULL;
	uv_mutex_lock(&storage->mutex);
	stopping = storage->stopping;
	if (!stopping) {
		if (storage->last)
			storage->last->next = job;
		else
			storage->first = job;
		storage->last = job;
		uv_cond_signal(&storage->wake);
	}
	uv_mutex_unlock(&storage->mutex);
	if (stopping) {
		job->status = ERR_UNAVAILABLE;
		post_back(storage, job);
	}
}

void
storage_stop(struct storage *storage)
{
	uv_mutex_lock(&storage->mutex);
	storage->stopping = true;
	uv_cond_broadcast(&storage->wake);
	uv_mutex_unlock(&storage->mutex);
	for (size_t i = 0; i < storage->n_threads; i++)
		uv_thread_join(&storage->threads[i]);
	storage->n_threads = 0;

	for (struct storage_job *job = storage->first, *next; job; job = next) {
		next = job->next;
		job->status = ERR_UNAVAILABLE;
		post_back(storage, job);
	}
	storage->first = storage->last = NULL;
}

void
storage_destroy(struct storage *storage)
{
	if (!storage)
		return;
	uv_cond_destroy(&storage->wake);
	uv_mutex_destroy(&storage->mutex);
	free(storage->threads);
	free(storage);
}

uint64_t
storage_connections(const struct storage *storage)
{
	return atomic_load(&storage->n_connections);
}
