/* Streams and delivery: records in order of rev, what is early waits, what is missing is repaired. */
#include "hub.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "hub_state.h"
#include "log.h"
#include "metrics.h"

void
hub_channel(char kind, const char *id, char ret_channel[EVENT_CHANNEL_SIZE])
{
	ret_channel[0] = kind;
	ret_channel[1] = ':';
	memcpy(ret_channel + 2, id, ID_SIZE);
}

const char *
hub_conversation_id(const char *channel)
{
	return channel[0] == 'c' ? channel + 2 : NULL;
}

struct stream *
hub_stream(struct hub *hub, const char *channel)
{
	struct stream *stream;

	HASH_FIND_STR(hub->streams, channel, stream);
	return stream;
}

void
hub_due(struct hub *hub, struct stream *stream)
{
	if (stream->due)
		return;
	stream->due = true;
	LL_PREPEND2(hub->due, stream, due_next);
}

struct hub_socket *
hub_socket_find(struct hub *hub, uint64_t number)
{
	struct hub_socket *socket;

	HASH_FIND(hh, hub->sockets, &number, sizeof number, socket);
	return socket;
}

/* Streams and attachments. */

struct stream *
hub_stream_use(struct hub *hub, const char *channel)
{
	struct stream *stream = hub_stream(hub, channel);

	if (stream) {
		stream->idle_since_ms = 0;
		return stream;
	}
	stream = calloc(1, sizeof *stream);
	if (!stream)
		abort();
	memcpy(stream->channel, channel, EVENT_CHANNEL_SIZE);
	stream->last = REV_UNKNOWN;
	HASH_ADD_STR(hub->streams, channel, stream);
	metrics_add(METRIC_STREAMS, 1);
	return stream;
}

static void resubscribed(struct hub *hub, struct stream *stream);

static void
stream_forget(struct hub *hub, struct stream *stream)
{
	struct delivery *delivery, *next;

	assert(!stream->attachments);
	if (stream->due)
		LL_DELETE2(hub->due, stream, due_next);
	LL_FOREACH_SAFE (stream->waiting, delivery, next) {
		delivery_unref(delivery);
	}
	resubscribed(hub, stream);
	HASH_DEL(hub->streams, stream);
	metrics_add(METRIC_STREAMS, -1);
	free(stream);
}

void
hub_deliver(struct hub *hub, struct stream *stream, struct delivery *delivery)
{
	struct attachment *attachment, *next;

	DL_FOREACH_SAFE (stream->attachments, attachment, next) {
		attachment_pass(hub, attachment, delivery);
	}
}

/* The order of a stream. */

static void
schedule_repair(struct hub *hub, struct stream *stream, int64_t delay_ms)
{
	int64_t at_ms = clock_monotonic_ms() + delay_ms;

	if (!stream->repair_at_ms || at_ms < stream->repair_at_ms) {
		stream->repair_at_ms = at_ms;
		stream->repair_rev = stream->last;
	}
	hub_due(hub, stream);
}

void
hub_drain(struct hub *hub, struct stream *stream)
{
	if (stream->last == REV_UNKNOWN || stream->repair)
		return;
	while (stream->waiting && stream->waiting->rev <= stream->last + 1) {
		struct delivery *delivery = stream->waiting;

		LL_DELETE(stream->waiting, delivery);
		stream->n_waiting--;
		if (delivery->rev == stream->last + 1) {
			stream->last = delivery->rev;
			hub_deliver(hub, stream, delivery);
		}
		delivery_unref(delivery);
	}
	if (stream->waiting)
		schedule_repair(hub, stream, HUB_REORDER_MS);
}

void
hub_heard(struct hub *hub, struct stream *stream, int64_t head)
{
	if (head > stream->heard)
		stream->heard = head;
	if (stream->last != REV_UNKNOWN && stream->heard > stream->last && !stream->repair)
		schedule_repair(hub, stream, hub->normal ? HUB_HEARD_MS : 0);
}

void
hub_head_read(struct hub *hub, struct stream *stream, int64_t head)
{
	if (stream->last == REV_UNKNOWN) {
		stream->last = head;
		hub_heard(hub, stream, stream->heard);
	} else {
		hub_heard(hub, stream, head);
	}
}

static int
compare_rev(const struct delivery *a, const struct delivery *b)
{
	return (a->rev > b->rev) - (a->rev < b->rev);
}

static void
on_record(void *context, const char *channel, const char *bytes, size_t len)
{
	struct hub *hub = context;
	struct delivery *delivery;
	struct stream *stream;
	struct event event;
	char epoch[EVENT_EPOCH_SIZE];

	if (channel[0] == 'p') {
		if (hub->listener)
			hub->listener->record(hub->listener->context, channel, bytes, len);
		return;
	}
	if (event_decode(channel, bytes, len, epoch, &event) != OK) {
		log_warn("record_malformed", LOG_S("channel", channel), LOG_I("bytes", len));
		return;
	}
	stream = hub_stream(hub, channel);
	if (!stream || strcmp(epoch, hub->epoch) != 0)
		return;
	if (event.rev == EVENT_REV_NONE) {
		passing_deliver(stream, &event);
		return;
	}
	if (stream->last != REV_UNKNOWN && event.rev <= stream->last)
		return;
	if (stream->n_waiting >= HUB_WAITING_MAX && event.rev != stream->last + 1) {
		hub_heard(hub, stream, event.rev);
		return;
	}
	delivery = delivery_from_event(&event);
	LL_INSERT_INORDER(stream->waiting, delivery, compare_rev);
	stream->n_waiting++;
	hub_drain(hub, stream);
}

/* The bus comes and goes. */

static void
set_normal(struct hub *hub, bool normal, const char *reason)
{
	struct frame *frame;
	struct hub_socket *socket, *next;

	if (hub->normal == normal)
		return;
	hub->normal = normal;
	metrics_set(METRIC_DEGRADED, !normal);
	log_warn("mode", LOG_S("mode", hub_mode(hub)), LOG_S("reason", reason));
	frame = frame_mode(hub_mode(hub), "bus"); /* what it says in detail is for the log */
	HASH_ITER (hh, hub->sockets, socket, next) {
		if (socket->greeted)
			session_send_ephemeral(socket->session, frame, "mode");
	}
	frame_unref(frame);
}

/* Normal again only when nothing can have been missed: all confirmed, then all heads compared. */
static void
resubscribed(struct hub *hub, struct stream *stream)
{
	if (!stream->resubscribing)
		return;
	stream->resubscribing = false;
	if (--hub->n_resubscribing == 0) {
		hub->settling = true;
		heads_compare_all(hub);
	}
}

void
hub_compared(struct hub *hub)
{
	if (!hub->settling)
		return;
	hub->settling = false;
	set_normal(hub, true, "redis answers");
}

static void
on_confirmed(void *context, const char *channel)
{
	struct hub *hub = context;
	struct stream *stream = hub_stream(hub, channel);

	if (channel[0] == 'p' && hub->listener)
		hub->listener->confirmed(hub->listener->context, channel);
	if (!stream || stream->confirmed)
		return;
	stream->confirmed = true;
	hello_confirmed(hub, stream);
	resubscribed(hub, stream);
}

static void
on_up(void *context)
{
	struct hub *hub = context;
	size_t n = HASH_COUNT(hub->streams), i = 0;
	const char **channels = calloc(n + 1, sizeof *channels);
	struct stream *stream, *next;

	if (!channels)
		abort();
	HASH_ITER (hh, hub->streams, stream, next) {
		stream->resubscribing = true;
		channels[i++] = stream->channel;
	}
	hub->connected = true;
	hub->n_resubscribing = n;
	hub->settling = n == 0;
	heads_compare_all(hub); /* what was said while we were away */
	subscriber_add(hub->subscriber, channels, n);
	free(channels);
	if (hub->listener)
		hub->listener->up(hub->listener->context);
}

static void
on_down(void *context, const char *reason)
{
	struct hub *hub = context;
	struct stream *stream, *next;

	hub->connected = hub->settling = false;
	hub->n_resubscribing = 0;
	HASH_ITER (hh, hub->streams, stream, next) {
		stream->confirmed = stream->resubscribing = false;
	}
	set_normal(hub, false, reason);
	hub->heads_at_ms = 0;
	if (hub->listener)
		hub->listener->down(hub->listener->context);
}

/* Time. */

/* Returns whether the stream is to be looked at again. */
static bool
stream_tick(struct hub *hub, struct stream *stream, int64_t now_ms)
{
	if (stream->repair_at_ms && now_ms >= stream->repair_at_ms) {
		stream->repair_at_ms = 0;
		if (stream->repair || stream->last == REV_UNKNOWN)
			return stream->idle_since_ms != 0;
		if (stream->heard > stream->last || (stream->waiting && stream->repair_rev == stream->last))
			repair_begin(hub, stream);
		else if (stream->waiting)
			schedule_repair(hub, stream, HUB_REORDER_MS);
	}
	return stream->repair_at_ms || stream->idle_since_ms;
}

static void
on_tick(uv_timer_t *timer)
{
	struct hub *hub = timer->data;
	int64_t now_ms = clock_monotonic_ms();
	struct stream *stream, *next, *due = hub->due;

	hub->due = NULL;
	LL_FOREACH_SAFE2(due, stream, next, due_next)
	{
		stream->due = false;
		if (stream->idle_since_ms && now_ms - stream->idle_since_ms >= HUB_IDLE_MS && !stream->repair) {
			subscriber_remove(hub->subscriber, stream->channel);
			stream_forget(hub, stream);
		} else if (stream_tick(hub, stream, now_ms)) {
			hub_due(hub, stream);
		}
	}
	hello_tick(hub, now_ms);
	heads_tick(hub, now_ms);
}

/* The life of the hub. */

enum status
hub_create(struct loop *loop, struct storage *storage, const char *redis_url, struct hub **ret_hub,
	   struct fault *ret_fault)
{
	static const struct subscriber_events events = {on_record, on_confirmed, on_up, on_down};
	struct hub *hub = calloc(1, sizeof *hub);
	enum status status;

	if (!hub)
		abort();
	hub->loop = loop;
	hub->storage = storage;
	status = subscriber_create(loop, redis_url, &events, hub, &hub->subscriber, ret_fault);
	if (status != OK) {
		free(hub);
		return status;
	}
	metrics_set(METRIC_DEGRADED, 1);
	uv_timer_init(loop_uv(loop), &hub->tick);
	hub->tick.data = hub;
	uv_timer_start(&hub->tick, on_tick, HUB_TICK_MS, HUB_TICK_MS);
	*ret_hub = hub;
	return OK;
}

void
hub_stop(struct hub *hub)
{
	hub->stopping = true;
	subscriber_stop(hub->subscriber);
	uv_close((uv_handle_t *)&hub->tick, NULL);
}

void
hub_destroy(struct hub *hub)
{
	struct stream *stream, *next;

	if (!hub)
		return;
	assert(!hub->sockets && hub->jobs == 0);
	join_forget_all(hub);
	HASH_ITER (hh, hub->streams, stream, next) {
		stream_forget(hub, stream);
	}
	subscriber_destroy(hub->subscriber);
	free(hub);
}

const char *
hub_mode(const struct hub *hub)
{
	return hub->normal ? "normal" : "degraded";
}

static void
close_all(struct hub *hub, const char *code, const char *reason)
{
	struct hub_socket *socket, *next;

	log_warn("forget_all", LOG_S("reason", reason), LOG_I("sockets", HASH_COUNT(hub->sockets)));
	HASH_ITER (hh, hub->sockets, socket, next) {
		session_close(socket->session, 4001, code);
	}
}

void
hub_moved(struct hub *hub)
{
	if (hub->sockets)
		close_all(hub, "moved", "the database was moved: start this server again with its new address");
}

void
hub_forget_all(struct hub *hub, const char *reason)
{
	struct stream *stream, *next;

	close_all(hub, "epoch_changed", reason);
	join_forget_all(hub);
	HASH_ITER (hh, hub->streams, stream, next) {
		subscriber_remove(hub->subscriber, stream->channel);
		stream_forget(hub, stream);
	}
	hub->heads_position = 0;
	hub->heads_number++; /* an answer on its way is not ours any more */
	hub->heads_asking = false;
}

bool
hub_epoch_seen(struct hub *hub, const char *epoch)
{
	bool known = hub->epoch[0] != '\0';

	if (strcmp(hub->epoch, epoch) == 0)
		return true;
	memcpy(hub->epoch, epoch, EVENT_EPOCH_SIZE);
	if (known)
		hub_forget_all(hub, "the database has another epoch");
	return !known;
}
