/* The writer's queue and thread: takes what has gathered, has it committed (batch.c), and answers in the order of
 * submission. */
#include "writer/writer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "base/waiter.h"
#include "db/db.h"
#include "metrics.h"
#include "writer/batch.h"

struct writer {
	struct batch_runner runner; /* the thread's own */
	pthread_t thread;

	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t wake;
	struct write_op *first, *last;
	size_t n_queued;
	bool stopping;
};

/* Waits for operations and takes at most WRITER_BATCH_MAX; 0 when the writer ends and nothing is left. */
static size_t
take(struct writer *writer, struct write_op *ret_ops[WRITER_BATCH_MAX])
{
	size_t n = 0;

	pthread_mutex_lock(&writer->mutex);
	while (!writer->first && !writer->stopping)
		pthread_cond_wait(&writer->wake, &writer->mutex);
	while (writer->first && n < WRITER_BATCH_MAX) {
		ret_ops[n++] = writer->first;
		writer->first = writer->first->next;
	}
	if (!writer->first)
		writer->last = NULL;
	writer->n_queued -= n;
	metrics_set(METRIC_WRITER_QUEUE, (int64_t)writer->n_queued);
	pthread_mutex_unlock(&writer->mutex);
	return n;
}

/* What waited while a batch found that nothing can be written gets the same answer, or each batch of a long queue would wait as
 * long for the database as this one has. */
static void
refuse_queued(struct writer *writer, const struct fault *fault)
{
	struct write_op *op, *next;

	pthread_mutex_lock(&writer->mutex);
	op = writer->first;
	writer->first = writer->last = NULL;
	writer->n_queued = 0;
	metrics_set(METRIC_WRITER_QUEUE, 0);
	pthread_mutex_unlock(&writer->mutex);
	for (; op; op = next) {
		next = op->next;
		op->status = fault->status;
		op->fault = *fault;
		op->done(op);
	}
}

static void *
run(void *argument)
{
	struct writer *writer = argument;
	struct write_op *submitted[WRITER_BATCH_MAX], *sorted[WRITER_BATCH_MAX];
	size_t n;

	while ((n = take(writer, submitted)) > 0) {
		memcpy(sorted, submitted, n * sizeof *sorted);
		bool writable = batch_run(&writer->runner, sorted, n);
		struct fault fault = sorted[n - 1]->fault; /* of the last one tried */

		for (size_t i = 0; i < n; i++)
			submitted[i]->done(submitted[i]); /* its owner may free it here */
		if (!writable)
			refuse_queued(writer, &fault);
	}
	return NULL;
}

static void
free_writer(struct writer *writer)
{
	if (writer->runner.db)
		db_close(writer->runner.db);
	pthread_cond_destroy(&writer->wake);
	pthread_mutex_destroy(&writer->mutex);
	free(writer);
}

enum status
writer_create(const char *database_url, struct bus *bus, struct writer **ret_writer, struct fault *ret_fault)
{
	struct writer *writer = calloc(1, sizeof *writer);

	if (!writer)
		abort();
	pthread_mutex_init(&writer->mutex, NULL);
	pthread_cond_init(&writer->wake, NULL);
	writer->runner.bus = bus;
#ifdef STONECHAT_FAULTS
	writer->runner.fault_point = getenv("STONECHAT_FAULT_WRITER");
#endif

	enum status status = db_open(database_url, DB_ACCESS_WRITE, &writer->runner.db, ret_fault);
	if (status != OK) {
		free_writer(writer);
		return status;
	}
	writer->thread = thread_start("writer", run, writer);
	*ret_writer = writer;
	return OK;
}

void
writer_destroy(struct writer *writer)
{
	if (!writer)
		return;
	pthread_mutex_lock(&writer->mutex);
	writer->stopping = true;
	pthread_cond_signal(&writer->wake);
	pthread_mutex_unlock(&writer->mutex);
	pthread_join(writer->thread, NULL);
	free_writer(writer);
}

enum status
writer_submit(struct writer *writer, struct write_op *op)
{
	enum status status = OK;

	op->next = NULL;
	pthread_mutex_lock(&writer->mutex);
	if (writer->stopping || writer->n_queued >= WRITER_QUEUE_MAX) {
		status = ERR_UNAVAILABLE;
	} else {
		if (writer->last)
			writer->last->next = op;
		else
			writer->first = op;
		writer->last = op;
		writer->n_queued++;
		metrics_set(METRIC_WRITER_QUEUE, (int64_t)writer->n_queued);
		pthread_cond_signal(&writer->wake);
	}
	pthread_mutex_unlock(&writer->mutex);
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
