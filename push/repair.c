/* Reading what a stream is missing, once for all its sockets: one read in flight per stream, records wait behind it. Head and
 * rows come from one snapshot; the members of all of it are known before anything is sent, also when it is too much to push. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "hub_state.h"
#include "metrics.h"
#include "store/changes.h"
#include "store/meta.h"

struct repair_job {
	struct storage_job job;
	struct hub *hub;
	uint64_t number; /* stream->repair while this one is awaited */
	char channel[EVENT_CHANNEL_SIZE];
	int64_t after_rev;
	/* results */
	char epoch[EVENT_EPOCH_SIZE];
	struct delivery *delivery;
};

/* One page into the delivery; its rows live no longer than this. */
static enum status
read_page(struct repair_job *repair, struct db *db, bool *ret_has_more)
{
	struct delivery *delivery = repair->delivery;
	const char *id = repair->channel + 2;
	struct person_changes person;
	struct changes changes;
	struct arena arena = {0};
	enum status status;

	if (repair->channel[0] == 'u') {
		status = changes_of_person(db, &arena, id, delivery->rev, HUB_REPAIR_ROWS_MAX, &person);
		if (status == OK) {
			*ret_has_more = person.has_more;
			delivery_add_person_changes(delivery, &person);
		}
	} else {
		status = changes_of_conversation(db, &arena, id, NULL, delivery->rev, HUB_REPAIR_ROWS_MAX, &changes,
						 &repair->job.fault);
		if (status == OK) {
			*ret_has_more = changes.has_more;
			delivery_add_changes(delivery, id, &changes);
		}
	}
	arena_finish(&arena);
	return status;
}

static enum status
repair_work(struct repair_job *repair, struct db *db)
{
	bool has_more = true;

	repair->delivery = delivery_begin_repair(repair->after_rev);
	TRY(db_begin(db, DB_READ));
	TRY(meta_epoch(db, repair->epoch));
	while (has_more)
		TRY(read_page(repair, db, &has_more));
	delivery_finish_repair(repair->delivery, HUB_REPAIR_BYTES_MAX);
	return db_commit(db, NULL);
}

static void
on_work(struct storage_job *job, struct db *db)
{
	job->status = repair_work((struct repair_job *)job, db);
}

static void
deliver_repair(struct hub *hub, struct stream *stream, struct delivery *delivery)
{
	if (delivery->rev <= stream->last)
		return;
	if (delivery->kind == DELIVERY_GAP) {
		int64_t n = (int64_t)stream->n_attachments;

		delivery->spread_ms = n > 1 ? n * HUB_SPREAD_MS : 0;
		if (delivery->spread_ms > HUB_SPREAD_MAX_MS)
			delivery->spread_ms = HUB_SPREAD_MAX_MS;
	}
	stream->last = delivery->rev;
	hub_deliver(hub, stream, delivery);
}

static void
on_done(struct storage_job *job)
{
	struct repair_job *repair = (struct repair_job *)job;
	struct hub *hub = repair->hub;
	struct stream *stream = hub_stream(hub, repair->channel);

	hub->jobs--;
	if (stream && stream->repair == repair->number) {
		stream->repair = 0;
		if (job->status != OK) {
			stream->repair_at_ms = clock_monotonic_ms() + HUB_RETRY_MS;
			stream->repair_rev = stream->last;
			hub_due(hub, stream);
		} else if (hub_epoch_seen(hub, repair->epoch)) {
			deliver_repair(hub, stream, repair->delivery);
			hub_drain(hub, stream);
			hub_heard(hub, stream, stream->heard);
		}
	}
	delivery_unref(repair->delivery);
	arena_finish(&job->arena);
	free(repair);
}

void
repair_begin(struct hub *hub, struct stream *stream)
{
	struct repair_job *repair = calloc(1, sizeof *repair);

	if (!repair)
		abort();
	stream->repair = repair->number = ++hub->next_number;
	repair->job.work = on_work;
	repair->job.done = on_done;
	repair->hub = hub;
	repair->after_rev = stream->last;
	memcpy(repair->channel, stream->channel, sizeof repair->channel);
	metrics_add(METRIC_REPAIRS, 1);
	hub->jobs++;
	storage_submit(hub->storage, &repair->job);
}
