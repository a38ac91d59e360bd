/* How a socket begins (ARCHITECTURE.md, "Hello"): subscribe, attach with frames held back, read where the streams stand in one
 * statement, let go what is above that. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "hub_state.h"
#include "metrics.h"
#include "store/changes.h"
#include "store/conversations.h"
#include "store/meta.h"
#include "store/sessions.h"

struct hello_job {
	struct storage_job job;
	struct hub *hub;
	uint64_t number;
	char user_id[ID_SIZE], login_id[ID_SIZE];
	struct hub_request request; /* borrowed strings are copies in the job's arena */
	/* results */
	char epoch[EVENT_EPOCH_SIZE];
	int64_t me;
	struct head *heads;
	size_t n_heads;
	struct stream_head *gone; /* what the client knows and is not in any more */
	size_t n_gone;
	struct person_changes missed; /* of the person's stream; n_memberships may be 0 */
	bool has_missed;
};

static void hello_read(struct hub *hub, struct hub_socket *socket);

void
hello_request_free(struct hub_request *request)
{
	free((char *)request->epoch);
	free((struct hub_known *)request->known);
	*request = (struct hub_request){0};
}

void
hello_end(struct hub *hub, struct hub_socket *socket)
{
	if (!socket->greeting_prev)
		return;
	DL_DELETE2(hub->greeting, socket, greeting_prev, greeting_next);
	socket->greeting_prev = NULL;
	hello_request_free(&socket->request);
}

/* Attaches with deliveries held back and, when the bus has not confirmed the stream yet, counts it. */
static struct attachment *
attach_holding(struct hub *hub, struct hub_socket *socket, const char *channel, int64_t member_rev)
{
	struct attachment *attachment = attachment_create(hub, socket, channel, member_rev);

	if (!attachment->stream->confirmed) {
		attachment->awaited = true;
		socket->n_unconfirmed++;
	}
	return attachment;
}

/* Reads as soon as the bus has confirmed everything, or after HUB_CONFIRM_MS, or at once without a bus. */
static void
wait_for_bus(struct hub *hub, struct hub_socket *socket)
{
	if (!hub->connected || socket->n_unconfirmed == 0)
		hello_read(hub, socket);
	else
		socket->read_at_ms = clock_monotonic_ms() + HUB_CONFIRM_MS;
}

void
hello_begin(struct hub *hub, struct hub_socket *socket)
{
	char channel[EVENT_CHANNEL_SIZE];
	const char *channels[1] = {channel};

	DL_APPEND2(hub->greeting, socket, greeting_prev, greeting_next);
	hub_channel('u', socket->user_id, channel);
	if (!attach_holding(hub, socket, channel, 0)->stream->confirmed)
		subscriber_add(hub->subscriber, channels, 1);
	wait_for_bus(hub, socket);
}

/* Reading. */

static int
compare_heads(const void *a, const void *b)
{
	return strcmp(((const struct head *)a)->conversation_id, ((const struct head *)b)->conversation_id);
}

static int
compare_known(const void *a, const void *b)
{
	return strcmp(((const struct hub_known *)a)->conversation_id, ((const struct hub_known *)b)->conversation_id);
}

/* NULL: not a member. */
static const struct head *
find_head(const struct hello_job *hello, const char *conversation_id)
{
	struct head key;

	memcpy(key.conversation_id, conversation_id, ID_SIZE);
	return hello->n_heads ? bsearch(&key, hello->heads, hello->n_heads, sizeof key, compare_heads) : NULL;
}

/* What the client knows and is not in: gone as of its head, or, where the person never was a member, as of what the client
 * says itself. */
static enum status
read_gone(struct hello_job *hello, struct db *db)
{
	size_t n_known = hello->request.n_known;

	hello->gone = arena_alloc(&hello->job.arena, (n_known + 1) * sizeof *hello->gone);
	for (size_t i = 0; i < n_known; i++) {
		const struct hub_known *known = &hello->request.known[i];
		struct stream_head *gone = &hello->gone[hello->n_gone];
		enum status status;

		if (find_head(hello, known->conversation_id))
			continue;
		hub_channel('c', known->conversation_id, gone->channel);
		gone->last_rev = known->rev;
		status = conversations_former_head(db, known->conversation_id, hello->user_id, &gone->last_rev);
		if (status != OK && status != ERR_NOT_FOUND)
			return status;
		if (gone->last_rev < known->rev)
			gone->last_rev = known->rev; /* of an older copy: else the client takes it for old news */
		hello->n_gone++;
	}
	return OK;
}

/* One snapshot. The log-in is looked at again: a revocation since the token was checked is in this head, so its record would be
 * passed over. */
static enum status
hello_work(struct hello_job *hello, struct db *db)
{
	struct arena *arena = &hello->job.arena;
	int64_t me = hello->request.me;
	struct caller caller;

	TRY(db_begin(db, DB_READ));
	TRY(meta_check_serving(db, &hello->job.fault));
	TRY(sessions_check(db, hello->login_id, hello->user_id, clock_wall_ms(), &caller, &hello->job.fault));
	TRY(meta_epoch(db, hello->epoch));
	TRY(conversations_heads(db, arena, hello->user_id, &hello->me, &hello->heads, &hello->n_heads));
	if (hello->n_heads)
		qsort(hello->heads, hello->n_heads, sizeof *hello->heads, compare_heads);
	TRY(read_gone(hello, db));
	if (me >= 0 && me < hello->me) {
		TRY(changes_of_person(db, arena, hello->user_id, me, HUB_REPAIR_ROWS_MAX, &hello->missed));
		hello->has_missed = true;
	}
	return db_commit(db, NULL);
}

static void
on_work(struct storage_job *job, struct db *db)
{
	job->status = hello_work((struct hello_job *)job, db);
}

/* Hello, once everything is read. */

/* Many come at once after a restart: their pulls are lined up in time, as those of a stream's sockets are spread. */
static int64_t
next_pull_ms(struct hub *hub)
{
	int64_t now_ms = clock_monotonic_ms(), delay_ms;

	if (hub->next_pull_at_ms < now_ms)
		hub->next_pull_at_ms = now_ms;
	delay_ms = hub->next_pull_at_ms - now_ms;
	if (delay_ms < HUB_SPREAD_MAX_MS)
		hub->next_pull_at_ms += HUB_SPREAD_MS;
	return delay_ms;
}

static void
send_gap(struct hub_socket *socket, const char *channel, int64_t known_rev, int64_t last_rev)
{
	int64_t pull_after_ms = next_pull_ms(socket->hub);
	struct frame *frame =
		frame_gap(hub_conversation_id(channel), known_rev, last_rev, pull_after_ms, known_rev > last_rev);

	session_send_control(socket->session,
			     frame); /* the lane that never drops: a reset must not become a plain marker */
	frame_unref(frame);
	metrics_add(METRIC_GAPS, 1);
}

static const struct hub_known *
find_known(const struct hello_job *hello, const char *conversation_id)
{
	const struct hub_request *request = &hello->request;
	struct hub_known key;

	memcpy(key.conversation_id, conversation_id, ID_SIZE);
	return request->n_known ? bsearch(&key, request->known, request->n_known, sizeof key, compare_known) : NULL;
}

static void
tell_conversations(struct hub_socket *socket, const struct hello_job *hello, bool complete)
{
	char channel[EVENT_CHANNEL_SIZE];

	for (size_t i = 0; i < hello->n_gone; i++) {
		struct frame *frame =
			frame_removed(hub_conversation_id(hello->gone[i].channel), hello->gone[i].last_rev);

		session_send_durable(socket->session, frame, hello->gone[i].channel, hello->gone[i].last_rev);
		frame_unref(frame);
	}
	for (size_t i = 0; i < hello->n_heads; i++) {
		const struct head *head = &hello->heads[i];
		const struct hub_known *known = find_known(hello, head->conversation_id);
		int64_t known_rev = known ? known->rev : GAP_KNOWN_NOTHING;

		hub_channel('c', head->conversation_id, channel);
		if (known_rev != head->last_rev && (known_rev != GAP_KNOWN_NOTHING || complete))
			send_gap(socket, channel, known_rev, head->last_rev);
	}
}

static void
tell_person(struct hub_socket *socket, const struct hello_job *hello)
{
	char channel[EVENT_CHANNEL_SIZE];

	hub_channel('u', socket->user_id, channel);
	if (socket->request.me > hello->me || (hello->has_missed && hello->missed.has_more)) {
		send_gap(socket, channel, socket->request.me, hello->me);
	} else if (hello->has_missed) {
		struct delivery *delivery = delivery_begin_repair(socket->request.me);

		delivery_add_person_changes(delivery, &hello->missed);
		session_send_durable(socket->session, delivery->frame, channel, delivery->rev);
		delivery_unref(delivery);
	}
}

/* The hello reply, then what the client missed while it was away. */
static void
greet(struct hub *hub, struct hub_socket *socket, const struct hello_job *hello)
{
	const struct hub_request *request = &socket->request;
	bool same_epoch = !request->epoch || strcmp(request->epoch, hello->epoch) == 0;
	bool complete = request->known_count <= (int64_t)request->n_known;
	struct session_hello answer = {
		.epoch = hello->epoch,
		.me = hello->me,
		.mode = socket->n_unconfirmed ? "degraded" : hub_mode(hub),
		.sync_required = !same_epoch || !complete,
	};

	session_greet(socket->session, &answer);
	socket->greeted = true;
	if (!same_epoch)
		return;
	if (request->has_known)
		tell_conversations(socket, hello, complete);
	if (request->me >= 0)
		tell_person(socket, hello);
}

/* Attaches what is new among the memberships and detaches what is gone; false when something was new: it has to be
 * subscribed, and all be read again. */
static bool
follow_memberships(struct hub *hub, struct hub_socket *socket, const struct hello_job *hello)
{
	const char **channels = calloc(hello->n_heads + 1, sizeof *channels);
	struct attachment *attachment, *next;
	size_t n_new = 0, n_unconfirmed = 0;
	char channel[EVENT_CHANNEL_SIZE];

	if (!channels)
		abort();
	for (size_t i = 0; i < hello->n_heads; i++) {
		hub_channel('c', hello->heads[i].conversation_id, channel);
		attachment = attachment_find(socket, channel);
		if (attachment)
			continue;
		attachment = attach_holding(hub, socket, channel, hello->heads[i].member_rev);
		n_new++;
		if (!attachment->stream->confirmed)
			channels[n_unconfirmed++] = attachment->stream->channel;
	}
	subscriber_add(hub->subscriber, channels, n_unconfirmed);
	free(channels);
	DL_FOREACH_SAFE2(socket->attachments, attachment, next, socket_next)
	{
		const char *id = hub_conversation_id(attachment->stream->channel);

		if (id && !find_head(hello, id))
			attachment_destroy(hub, attachment);
	}
	return n_new == 0;
}

static int64_t
head_of(const struct hello_job *hello, const char *channel)
{
	const char *id = hub_conversation_id(channel);
	const struct head *head = id ? find_head(hello, id) : NULL;

	return head ? head->last_rev : hello->me;
}

static bool
all_reach(const struct hub_socket *socket, const struct hello_job *hello)
{
	const struct attachment *attachment;

	DL_FOREACH2(socket->attachments, attachment, socket_next)
	{
		if (!attachment_reaches(attachment, head_of(hello, attachment->stream->channel)))
			return false;
	}
	return true;
}

static void
finish_hello(struct hub *hub, struct hub_socket *socket, const struct hello_job *hello)
{
	uint64_t number = socket->number;
	struct attachment *attachment;
	struct stream *stream;
	char channel[EVENT_CHANNEL_SIZE];

	greet(hub, socket, hello);
	if (!hub_socket_find(hub, number))
		return;
	hello_end(hub, socket);
	DL_FOREACH2(socket->attachments, attachment, socket_next)
	{
		hub_head_read(hub, attachment->stream, head_of(hello, attachment->stream->channel));
	}
	hub_channel('u', hello->user_id, channel);
	for (size_t i = 0; i <= hello->n_heads; i++) {
		if (i > 0)
			hub_channel('c', hello->heads[i - 1].conversation_id, channel);
		socket = hub_socket_find(hub, number); /* what is let go may close it */
		attachment = socket ? attachment_find(socket, channel) : NULL;
		if (attachment && attachment->holding && !attachment->join) {
			if (i > 0 && hello->heads[i - 1].member_rev > attachment->member_rev)
				attachment->member_rev = hello->heads[i - 1].member_rev;
			attachment_release(hub, attachment, i > 0 ? hello->heads[i - 1].last_rev : hello->me);
		}
		stream = hub_stream(hub, channel);
		if (stream && i > 0)
			stream->member_count = hello->heads[i - 1].member_count;
		if (stream)
			hub_drain(hub, stream);
	}
}

static void
on_done(struct storage_job *job)
{
	struct hello_job *hello = (struct hello_job *)job;
	struct hub *hub = hello->hub;
	struct hub_socket *socket = hub_socket_find(hub, hello->number);

	hub->jobs--;
	if (socket && (job->status == ERR_NOT_FOUND || job->status == ERR_UNAUTHORIZED)) {
		session_close(socket->session, 4403, "revoked");
	} else if (socket && job->fault.code && strcmp(job->fault.code, "moved") == 0) {
		session_close(socket->session, 4001, "moved");
	} else if (socket && job->status != OK) {
		socket->read_at_ms = clock_monotonic_ms() + HUB_RETRY_MS;
		socket->retrying = true;
	} else if (socket && hub_epoch_seen(hub, hello->epoch)) {
		if (!follow_memberships(hub, socket, hello))
			wait_for_bus(hub, socket);
		else if (!all_reach(socket, hello))
			hello_read(hub, socket);
		else
			finish_hello(hub, socket, hello);
	}
	arena_finish(&job->arena);
	free(hello);
}

static void
hello_read(struct hub *hub, struct hub_socket *socket)
{
	struct hello_job *hello = calloc(1, sizeof *hello);
	struct hub_request *request;

	if (!hello)
		abort();
	request = &hello->request;
	socket->read_at_ms = 0;
	socket->retrying = false;
	hello->job.work = on_work;
	hello->job.done = on_done;
	hello->hub = hub;
	hello->number = socket->number;
	memcpy(hello->user_id, socket->user_id, ID_SIZE);
	request->me = socket->request.me;
	request->n_known = socket->request.n_known;
	memcpy(hello->login_id, session_login_id(socket->session), ID_SIZE);
	if (request->n_known) { /* a copy: the socket may be gone before the job is */
		struct hub_known *known = (struct hub_known *)arena_memdup(&hello->job.arena, socket->request.known,
									   request->n_known * sizeof *known);

		qsort(known, request->n_known, sizeof *known, compare_known);
		request->known = known;
	}
	hub->jobs++;
	storage_submit(hub->storage, &hello->job);
}

/* To one whose hello didn't wait for the bus, and so said that it is degraded. */
static void
tell_mode(struct hub *hub, struct hub_socket *socket)
{
	struct frame *frame;

	if (!hub->normal)
		return; /* all will hear of it */
	frame = frame_mode(hub_mode(hub), "bus");
	session_send_ephemeral(socket->session, frame, "mode");
	frame_unref(frame);
}

void
hello_confirmed(struct hub *hub, struct stream *stream)
{
	struct attachment *attachment;

	DL_FOREACH (stream->attachments, attachment) {
		struct hub_socket *socket = attachment->socket;

		if (!attachment->awaited)
			continue;
		attachment->awaited = false;
		if (--socket->n_unconfirmed > 0)
			continue;
		if (socket->greeted)
			tell_mode(hub, socket);
		else if (socket->read_at_ms && !socket->retrying)
			hello_read(hub, socket);
	}
	join_wake(hub, stream->channel, 0);
}

void
hello_tick(struct hub *hub, int64_t now_ms)
{
	struct hub_socket *socket;

	DL_FOREACH2(hub->greeting, socket, greeting_next)
	{
		if (socket->read_at_ms && now_ms >= socket->read_at_ms)
			hello_read(hub, socket);
	}
	join_wake(hub, NULL, now_ms);
}
