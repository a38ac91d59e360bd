/* Sends without HTTP: submits to a writer of its own as many sends at once as it is given conversations, each to one of
 * them, and the next one there when the last is committed, for SECONDS. Prints sends per second and sends a batch.
 *
 * usage: write DATABASE_URL USER SESSION THREADS SECONDS CONVERSATION... (a log-in and conversations that are there) */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "metrics.h"
#include "writer/writer.h"

struct slot {
	struct write_send_message send;
	struct slot *next;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static struct slot *finished;

static void
fail(const char *what)
{
	fprintf(stderr, "write: %s\n", what);
	exit(1);
}

static void
on_done(struct write_op *op)
{
	struct slot *slot = op->context;

	pthread_mutex_lock(&mutex);
	slot->next = finished;
	finished = slot;
	pthread_cond_signal(&wake);
	pthread_mutex_unlock(&mutex);
}

static struct slot *
take_finished(void)
{
	struct slot *first;

	pthread_mutex_lock(&mutex);
	while (!finished)
		pthread_cond_wait(&wake, &mutex);
	first = finished;
	finished = NULL;
	pthread_mutex_unlock(&mutex);
	return first;
}

/* The next message of the slot: as the API does it, its id and digest are new. */
static void
submit(struct writer *writer, struct slot *slot)
{
	slot->send.draft.id[0] = '\0';
	if (message_draft_check(&slot->send.draft, NULL) != OK || writer_submit(writer, &slot->send.op) != OK)
		fail("a send was refused");
}

static void
start(struct writer *writer, struct slot *slot, char **argv, const char *conversation)
{
	slot->send.op.kind = WRITE_SEND_MESSAGE;
	slot->send.op.done = on_done;
	slot->send.op.context = slot;
	snprintf(slot->send.draft.sender_id, ID_SIZE, "%s", argv[2]);
	snprintf(slot->send.draft.session_id, ID_SIZE, "%s", argv[3]);
	snprintf(slot->send.draft.conversation_id, ID_SIZE, "%s", conversation);
	slot->send.op.conversation_id = slot->send.draft.conversation_id;
	slot->send.draft.content = "a message of a usual length, say one line of text";
	submit(writer, slot);
}

/* Sends until then; how many were committed, those included that were under way at the end. */
static long
drive(struct writer *writer, int64_t until_us, size_t n_slots)
{
	size_t n_open = n_slots;
	long n_sent = 0;

	while (n_open > 0) {
		for (struct slot *slot = take_finished(), *next; slot; slot = next) {
			next = slot->next;
			if (slot->send.op.status != OK)
				fail(slot->send.op.fault.detail);
			arena_finish(&slot->send.op.arena);
			n_sent++;
			if (clock_monotonic_us() < until_us)
				submit(writer, slot);
			else
				n_open--;
		}
	}
	return n_sent;
}

int
main(int argc, char **argv)
{
	enum { FIRST = 6 };
	struct fault fault = {0};
	struct writer *writer;

	if (argc <= FIRST)
		fail("usage: write DATABASE_URL USER SESSION THREADS SECONDS CONVERSATION...");
	size_t n_slots = (size_t)(argc - FIRST), n_threads = (size_t)strtol(argv[4], NULL, 10);
	struct slot *slots = calloc(n_slots, sizeof *slots);
	if (!slots || writer_create(argv[1], n_threads, NULL, &writer, &fault) != OK)
		fail(fault.detail);
	int64_t began_us = clock_monotonic_us(), until_us = began_us + (int64_t)(strtod(argv[5], NULL) * 1e6);
	for (size_t i = 0; i < n_slots; i++)
		start(writer, &slots[i], argv, argv[FIRST + i]);
	long n_sent = drive(writer, until_us, n_slots);
	double took_s = (double)(clock_monotonic_us() - began_us) / 1e6;
	writer_destroy(writer);
	free(slots);
	printf("{\"per_second\": %.0f, \"sends\": %ld, \"batches\": %lld}\n", (double)n_sent / took_s, n_sent,
	       (long long)metrics_get(METRIC_WRITER_BATCHES));
	return 0;
}
