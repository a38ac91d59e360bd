/* Reading what a stream is missing, once for all its sockets: one read in flight per stream, records wait behind it. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "hub_state.h"
#include "metrics.h"
#include "store/changes.h"
#include "store/meta.h"

enum { SPREAD_MS_PER_SOCKET = 5, SPREAD_MS_MAX = 10000 }; /* a lost record must not become a herd of pulls */

struct repair_job {
	struct storage_job job;
	struct hub *hub;
	char channel[EVENT_CHANNEL_SIZE];
	int64_t after_rev;
	/* results */
	char epoch[EVENT_EPOCH_SIZE];
	struct changes changes;       /* of a conversation */
	struct person_changes person; /* of a person */
};

static enum status
repair_work(struct repair_job *repair, struct db *db)
{
	const char *id = repair->channel + 2;
	struct arena *arena = &repair->job.arena;

	TRY(meta_epoch(db, repair->epoch));
	if (repair->channel[0] == 'u')
		return changes_of_person(db, arena, id, repair->after_rev, HUB_REPAIR_ROWS_MAX, &repair->person);
	return changes_of_conversation(db, arena, id, NULL, repair->after_rev, HUB_REPAIR_ROWS_MAX, &repair->changes,
				       &repair->job.fault);
}

static void
on_work(struct storage_job *job, struct db *db)
{
	job->status = repair_work((struct repair_job *)job, db);
}

static void
deliver_repair(struct hub *hub, struct stream *stream, const struct repair_job *repair)
{
	bool of_person = repair->channel[0] == 'u';
	struct delivery *delivery = of_person ? delivery_from_person_changes(&repair->person)
					      : delivery_from_changes(repair->channel + 2, &repair->changes);
	bool has_more = of_person ? repair->person.has_more : repair->changes.has_more;
	int64_t head = of_person ? repair->person.last_rev : repair->changes.last_rev;

	if (has_more || delivery->frame->len > HUB_REPAIR_BYTES_MAX) {
		struct attachment *attachment;
		struct delivery *gap;
		int64_t n_sockets = 0, spread;

		DL_FOREACH (stream->attachments, attachment) {
			n_sockets++;
		}
		spread = n_sockets > 1 ? n_sockets * SPREAD_MS_PER_SOCKET : 0;
		if (spread > SPREAD_MS_MAX)
			spread = SPREAD_MS_MAX;
		gap = delivery_to_gap(delivery, hub_conversation_id(stream->channel), spread);
		delivery_unref(delivery);
		delivery = gap;
		metrics_add(METRIC_GAPS, n_sockets);
	}
	if (delivery->rev > stream->last) {
		stream->last = delivery->rev;
		hub_deliver(hub, stream, delivery);
	}
	delivery_unref(delivery);
	if (head > stream->heard)
		stream->heard = head;
}

static void
on_done(struct storage_job *job)
{
	struct repair_job *repair = (struct repair_job *)job;
	struct hub *hub = repair->hub;
	struct stream *stream = hub_stream(hub, repair->channel);

	hub->jobs--;
	if (stream && stream->repairing && stream->last == repair->after_rev) {
		stream->repairing = false;
		if (job->status == OK && hub_epoch_seen(hub, repair->epoch)) {
			deliver_repair(hub, stream, repair);
			hub_drain(hub, stream);
			hub_heard(hub, stream, stream->heard);
		} else if (job->status != OK) {
			stream->repair_at_ms = clock_monotonic_ms() + HUB_RETRY_MS;
			stream->repair_rev = stream->last;
			hub_due(hub, stream);
		}
	}
	arena_finish(&job->arena);
	free(repair);
}

void
repair_begin(struct hub *hub, struct stream *stream)
{
	struct repair_job *repair = calloc(1, sizeof *repair);

	if (!repair)
		abort();
	stream->repairing = true;
	repair->job.work = on_work;
	repair->job.done = on_done;
	repair->hub = hub;
	repair->after_rev = stream->last;
	memcpy(repair->channel, stream->channel, sizeof repair->channel);
	metrics_add(METRIC_REPAIRS, 1);
	hub->jobs++;
	storage_submit(hub->storage, &repair->job);
}
