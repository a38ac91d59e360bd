/* Asking the database where the streams stand, every few seconds: what the bus lost is found without a clock, and delivery
 * goes on without Redis. One read per process, filtered on arrival. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "hub_state.h"
#include "metrics.h"
#include "store/conversations.h"
#include "store/meta.h"

struct heads_job {
	struct storage_job job;
	struct hub *hub;
	uint64_t number;
	int64_t position;     /* 0: the named channels */
	uint64_t connections; /* of storage when it was asked */
	const char **channels;
	size_t n_channels;
	/* results */
	char epoch[EVENT_EPOCH_SIZE];
	int64_t next_position;
	struct stream_head *heads;
	size_t n_heads;
};

static enum status
heads_work(struct heads_job *job, struct db *db)
{
	struct arena *arena = &job->job.arena;
	bool unknown;

	TRY(db_begin(db, DB_READ));
	TRY(meta_check_serving(db, &job->job.fault));
	TRY(meta_epoch(db, job->epoch));
	TRY(db_change_position(db, &job->next_position));
	if (job->position)
		TRY(conversations_changed(db, arena, job->position, &job->heads, &job->n_heads));
	else
		TRY(conversations_heads_of(db, arena, job->channels, job->n_channels, &job->heads, &job->n_heads));
	return db_commit(db, &unknown);
}

static void
on_work(struct storage_job *job, struct db *db)
{
	job->status = heads_work((struct heads_job *)job, db);
}

static void
compare(struct hub *hub, const struct heads_job *job)
{
	for (size_t i = 0; i < job->n_heads; i++) {
		struct stream *stream = hub_stream(hub, job->heads[i].channel);
		int64_t head = job->heads[i].last_rev;

		if (!stream)
			continue;
		if (stream->asked_number == job->number && head < stream->asked) {
			hub_forget_all(hub, "a head is below what was delivered");
			return;
		}
		stream->member_count = job->heads[i].member_count;
		hub_heard(hub, stream, head);
	}
}

/* A position is the database's word to a connection, which one of another session need not keep: a server that has crashed gives
 * the numbers of transactions that changed nothing a second time. Then all heads are compared by name. */
static void
take_answer(struct hub *hub, const struct heads_job *job)
{
	if (job->job.status != OK) {
		hub->heads_position = 0; /* the next connection may see another past: compare all */
		if (job->job.fault.code && strcmp(job->job.fault.code, "moved") == 0)
			hub_moved(hub);
		return;
	}
	if (!hub_epoch_seen(hub, job->epoch))
		return; /* before the position, which may have gone back too: all is forgotten once */
	if (job->position && storage_connections(hub->storage) != hub->heads_connections) {
		heads_compare_all(hub);
		return;
	}
	if (job->position && job->next_position < job->position) {
		hub_forget_all(hub, "the database has gone back");
		return;
	}
	hub->heads_position = job->next_position;
	hub->heads_connections = job->connections;
	compare(hub, job);
	if (!job->position)
		hub_compared(hub);
}

static void
on_done(struct storage_job *storage_job)
{
	struct heads_job *job = (struct heads_job *)storage_job;
	struct hub *hub = job->hub;

	hub->jobs--;
	if (job->number == hub->heads_number) {
		hub->heads_asking = false;
		take_answer(hub, job);
	}
	arena_finish(&storage_job->arena);
	free(job);
}

static void
ask(struct hub *hub)
{
	struct heads_job *job = calloc(1, sizeof *job);
	struct stream *stream, *next;

	if (!job)
		abort();
	job->job.work = on_work;
	job->job.done = on_done;
	job->hub = hub;
	job->number = ++hub->heads_number;
	job->position = hub->heads_position;
	job->connections = storage_connections(hub->storage);
	if (!job->position)
		job->channels = arena_alloc(&job->job.arena, (HASH_COUNT(hub->streams) + 1) * sizeof *job->channels);
	HASH_ITER (hh, hub->streams, stream, next) {
		stream->asked = stream->last;
		stream->asked_number = job->number;
		if (!job->position)
			job->channels[job->n_channels++] = arena_strdup(&job->job.arena, stream->channel);
	}
	hub->heads_asking = true;
	metrics_add(METRIC_HEADS_CHECKS, 1);
	hub->jobs++;
	storage_submit(hub->storage, &job->job);
}

void
heads_compare_all(struct hub *hub)
{
	hub->heads_position = 0;
	hub->heads_number++; /* one that was asked before does not count */
	hub->heads_asking = false;
	hub->heads_at_ms = 0;
}

void
heads_tick(struct hub *hub, int64_t now_ms)
{
	if (hub->heads_asking || now_ms < hub->heads_at_ms)
		return;
	hub->heads_at_ms = now_ms + (hub->normal ? HUB_HEADS_MS : HUB_HEADS_DEGRADED_MS);
	ask(hub);
}
