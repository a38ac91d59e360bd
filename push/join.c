/* How a conversation begins that a socket is added to while connected: as a hello does, but with a snapshot of this one
 * conversation instead of heads. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "hub_state.h"
#include "metrics.h"
#include "store/changes.h"
#include "store/meta.h"

/* A conversation joined while connected: waits for the bus, then is read. */
struct join {
	struct storage_job job;
	struct join *next; /* in hub->joins, before it is read */
	struct hub *hub;
	uint64_t number;      /* of the socket */
	uint64_t join_number; /* attachment->join while this join is current */
	int64_t read_at_ms;   /* at the latest */
	char channel[EVENT_CHANNEL_SIZE];
	char user_id[ID_SIZE];
	/* results */
	char epoch[EVENT_EPOCH_SIZE];
	struct changes snapshot;
	int64_t head;
};

static void
finish_join(struct hub *hub, struct join *join, struct attachment *attachment)
{
	struct hub_socket *socket = attachment->socket;
	const struct changes *snapshot = &join->snapshot;
	const char *conversation_id = hub_conversation_id(join->channel);
	struct stream *stream = attachment->stream;
	struct frame *frame = frame_snapshot(conversation_id, snapshot);

	attachment->join = 0;
	hub_head_read(hub, stream, join->head);
	stream->member_count = (int64_t)snapshot->conversation->member_count;
	if (frame->len > HUB_REPAIR_BYTES_MAX) {
		frame_unref(frame);
		frame = frame_gap(conversation_id, GAP_KNOWN_NOTHING, join->head, 0, false);
		metrics_add(METRIC_GAPS, 1);
	}
	if (snapshot->conversation->member_rev > attachment->member_rev)
		attachment->member_rev = snapshot->conversation->member_rev;
	session_send_durable(socket->session, frame, join->channel, join->head);
	frame_unref(frame);
	attachment_release(hub, attachment, join->head);
	hub_drain(hub, stream);
}

static void join_read(struct hub *hub, struct join *join);

static struct attachment *
join_attachment(struct hub *hub, const struct join *join)
{
	struct hub_socket *socket = hub_socket_find(hub, join->number);
	struct attachment *attachment = socket ? attachment_find(socket, join->channel) : NULL;

	return attachment && attachment->join == join->join_number ? attachment : NULL;
}

static void
free_join(struct join *join)
{
	arena_finish(&join->job.arena);
	free(join);
}

static void
on_join_done(struct storage_job *job)
{
	struct join *join = (struct join *)job;
	struct hub *hub = join->hub;
	struct attachment *attachment = join_attachment(hub, join);

	hub->jobs--;
	if (attachment && (job->status == OK || job->status == ERR_NOT_FOUND) && hub_epoch_seen(hub, join->epoch)) {
		if (!attachment_reaches(attachment, join->head)) {
			arena_finish(&job->arena);
			join_read(hub, join);
			return;
		}
		if (job->status == OK) {
			finish_join(hub, join, attachment);
		} else {
			struct frame *frame = frame_removed(hub_conversation_id(join->channel), join->head);

			session_send_durable(attachment->socket->session, frame, join->channel, join->head);
			frame_unref(frame);
			attachment_destroy(hub, attachment);
		}
	} else if (attachment && job->status != OK && job->status != ERR_NOT_FOUND) {
		arena_finish(&job->arena);
		join->read_at_ms = clock_monotonic_ms() + HUB_RETRY_MS;
		LL_PREPEND(hub->joins, join);
		return;
	}
	free_join(join);
}

static enum status
join_work(struct join *join, struct db *db)
{
	const char *conversation_id = hub_conversation_id(join->channel);

	TRY(db_begin(db, DB_READ));
	TRY(meta_epoch(db, join->epoch));
	TRY(changes_snapshot(db, &join->job.arena, conversation_id, join->user_id, &join->snapshot, &join->head,
			     &join->job.fault));
	return db_commit(db, NULL);
}

static void
on_join_work(struct storage_job *job, struct db *db)
{
	job->status = join_work((struct join *)job, db);
}

static void
join_read(struct hub *hub, struct join *join)
{
	join->job = (struct storage_job){.work = on_join_work, .done = on_join_done};
	hub->jobs++;
	storage_submit(hub->storage, &join->job);
}

void
join_begin(struct hub *hub, struct hub_socket *socket, const char *conversation_id, int64_t member_rev)
{
	struct join *join = calloc(1, sizeof *join);
	struct attachment *attachment;
	const char *channels[1];

	if (!join)
		abort();
	join->hub = hub;
	join->number = socket->number;
	memcpy(join->user_id, socket->user_id, ID_SIZE);
	hub_channel('c', conversation_id, join->channel);
	attachment = attachment_create(hub, socket, join->channel, member_rev);
	attachment->join = join->join_number = ++hub->next_number;
	if (!hub->connected || attachment->stream->confirmed) {
		join_read(hub, join);
		return;
	}
	channels[0] = join->channel;
	subscriber_add(hub->subscriber, channels, 1);
	join->read_at_ms = clock_monotonic_ms() + HUB_CONFIRM_MS;
	LL_PREPEND(hub->joins, join);
}

void
join_forget_all(struct hub *hub)
{
	struct join *join, *next;

	LL_FOREACH_SAFE (hub->joins, join, next) {
		free_join(join);
	}
	hub->joins = NULL;
}

void
join_wake(struct hub *hub, const char *channel, int64_t now_ms)
{
	struct join *join, *next, *first = hub->joins;

	hub->joins = NULL;
	LL_FOREACH_SAFE (first, join, next) {
		if (!join_attachment(hub, join))
			free_join(join);
		else if (now_ms >= join->read_at_ms || (channel && strcmp(channel, join->channel) == 0))
			join_read(hub, join);
		else
			LL_PREPEND(hub->joins, join);
	}
}
