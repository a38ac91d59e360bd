/* The writer's queues and threads: each takes what has gathered in its own, has it committed (batch.c), and answers in the
 * order of submission. A conversation always has the same thread, so its operations keep their order too. */
#include "writer/writer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/thread.h"
#include "base/waiter.h"
#include "db/db.h"
#include "metrics.h"
#include "writer/batch.h"

struct shard {
	struct writer *writer;
	struct batch_runner runner; /* the thread's own */
	pthread_t thread;
	bool started;

	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t wake;
	struct write_op *first, *last;
	bool stopping;
};

struct writer {
	struct shard *shards;
	size_t n_shards;
	atomic_size_t n_queued; /* in all shards */
};

static void
count_queued(struct writer *writer, size_t n_more, size_t n_less)
{
	atomic_fetch_add(&writer->n_queued, n_more - n_less);
	metrics_set(METRIC_WRITER_QUEUE, (int64_t)atomic_load(&writer->n_queued));
}

/* Waits for operations and takes at most WRITER_BATCH_MAX; 0 when the writer ends and nothing is left. */
static size_t
take(struct shard *shard, struct write_op *ret_ops[WRITER_BATCH_MAX])
{
	size_t n = 0;

	pthread_mutex_lock(&shard->mutex);
	while (!shard->first && !shard->stopping)
		pthread_cond_wait(&shard->wake, &shard->mutex);
	while (shard->first && n < WRITER_BATCH_MAX) {
		ret_ops[n++] = shard->first;
		shard->first = shard->first->next;
	}
	if (!shard->first)
		shard->last = NULL;
	pthread_mutex_unlock(&shard->mutex);
	count_queued(shard->writer, 0, n);
	return n;
}

/* What waited while a batch found that nothing can be written gets the same answer, or each batch of a long queue would wait as
 * long for the database as this one has. */
static void
refuse_queued(struct shard *shard, const struct fault *fault)
{
	struct write_op *op, *next;

	pthread_mutex_lock(&shard->mutex);
	op = shard->first;
	shard->first = shard->last = NULL;
	pthread_mutex_unlock(&shard->mutex);
	for (; op; op = next) {
		next = op->next;
		count_queued(shard->writer, 0, 1);
		op->status = fault->status;
		op->fault = *fault;
		op->done(op);
	}
}

static void *
run(void *argument)
{
	struct shard *shard = argument;
	struct write_op *submitted[WRITER_BATCH_MAX], *sorted[WRITER_BATCH_MAX];
	size_t n;

	while ((n = take(shard, submitted)) > 0) {
		memcpy(sorted, submitted, n * sizeof *sorted);
		bool writable = batch_run(&shard->runner, sorted, n);
		struct fault fault = sorted[n - 1]->fault; /* of the last one tried */

		for (size_t i = 0; i < n; i++)
			submitted[i]->done(submitted[i]); /* its owner may free it here */
		if (!writable)
			refuse_queued(shard, &fault);
	}
	return NULL;
}

static void
stop_shard(struct shard *shard)
{
	pthread_mutex_lock(&shard->mutex);
	shard->stopping = true;
	pthread_cond_signal(&shard->wake);
	pthread_mutex_unlock(&shard->mutex);
	if (shard->started)
		pthread_join(shard->thread, NULL);
	if (shard->runner.db)
		db_close(shard->runner.db);
	pthread_cond_destroy(&shard->wake);
	pthread_mutex_destroy(&shard->mutex);
	held_finish(&shard->runner.held);
}

static void
init_shard(struct writer *writer, struct bus *bus, struct shard *shard)
{
	pthread_mutex_init(&shard->mutex, NULL);
	pthread_cond_init(&shard->wake, NULL);
	held_init(&shard->runner.held);
	shard->writer = writer;
	shard->runner.bus = bus;
#ifdef STONECHAT_FAULTS
	shard->runner.fault_point = getenv("STONECHAT_FAULT_WRITER");
#endif
}

/* Connects all before the first one starts. How many there are is known when the first has connected. */
static enum status
open_shards(struct writer *writer, const char *database_url, struct bus *bus, struct fault *ret_fault)
{
	size_t wanted = writer->n_shards;

	writer->shards = calloc(WRITER_THREADS_MAX, sizeof *writer->shards);
	if (!writer->shards)
		abort();
	writer->n_shards = 0;
	do {
		struct shard *shard = &writer->shards[writer->n_shards++];

		init_shard(writer, bus, shard);
		TRY(db_open(database_url, DB_ACCESS_WRITE, &shard->runner.db, ret_fault));
		if (wanted == 0)
			wanted = db_writers(shard->runner.db);
	} while (writer->n_shards < wanted && writer->n_shards < WRITER_THREADS_MAX);
	return OK;
}

enum status
writer_create(const char *database_url, size_t n_threads, struct bus *bus, struct writer **ret_writer,
	      struct fault *ret_fault)
{
	struct writer *writer = calloc(1, sizeof *writer);

	if (!writer)
		abort();
	writer->n_shards = n_threads;
	enum status status = open_shards(writer, database_url, bus, ret_fault);
	if (status != OK) {
		writer_destroy(writer);
		return status;
	}
	for (size_t i = 0; i < writer->n_shards; i++) {
		writer->shards[i].thread = thread_start("writer", run, &writer->shards[i]);
		writer->shards[i].started = true;
	}
	*ret_writer = writer;
	return OK;
}

void
writer_destroy(struct writer *writer)
{
	if (!writer)
		return;
	for (size_t i = 0; i < writer->n_shards; i++)
		stop_shard(&writer->shards[i]);
	free(writer->shards);
	free(writer);
}

/* FNV-1a. What concerns no conversation keeps its order too: it is all the first one's. */
static struct shard *
shard_of(struct writer *writer, const struct write_op *op)
{
	uint32_t hash = 2166136261U;

	if (!op->conversation_id)
		return &writer->shards[0];
	for (const char *c = op->conversation_id; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619U;
	return &writer->shards[hash % writer->n_shards];
}

/* It would wait in vain for whoever keeps the conversation locked, and all that is to be written after it too. */
static enum status
refuse_held(struct shard *shard, struct write_op *op)
{
	if (!op->conversation_id)
		return OK;
	op->status = locks_refuse(&shard->runner.held, &op->conversation_id, 1, &op->fault);
	return op->status;
}

enum status
writer_submit(struct writer *writer, struct write_op *op)
{
	struct shard *shard = shard_of(writer, op);
	enum status status = refuse_held(shard, op);

	if (status != OK)
		return status;
	op->next = NULL;
	pthread_mutex_lock(&shard->mutex);
	if (shard->stopping || atomic_load(&writer->n_queued) >= WRITER_QUEUE_MAX) {
		status = ERR_UNAVAILABLE;
	} else {
		count_queued(writer, 1, 0);
		if (shard->last)
			shard->last->next = op;
		else
			shard->first = op;
		shard->last = op;
		pthread_cond_signal(&shard->wake);
	}
	pthread_mutex_unlock(&shard->mutex);
	if (status != OK)
		op->status = fault_set(&op->fault, status, "server_busy", NULL, "Too many changes wait to be stored.");
	return status;
}

static void
on_done(struct write_op *op)
{
	waiter_wake(op->context);
}

enum status
writer_run(struct writer *writer, struct write_op *op)
{
	struct waiter waiter;

	waiter_init(&waiter);
	op->done = on_done;
	op->context = &waiter;

	enum status status = writer_submit(writer, op);
	if (status != OK) {
		waiter_finish(&waiter);
		return status;
	}
	waiter_wait(&waiter);
	return op->status;
}
