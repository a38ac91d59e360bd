/* What ties a socket to a stream: which deliveries reach it, which wait, and what a membership's change does to it. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "hub_state.h"
#include "metrics.h"

struct attachment *
attachment_find(const struct hub_socket *socket, const char *channel)
{
	struct stream *stream = hub_stream(socket->hub, channel);
	struct attachment *attachment;

	if (!stream)
		return NULL;
	if (stream->n_attachments > socket->n_attachments) { /* through the shorter of the two lists */
		DL_SEARCH_SCALAR2(socket->attachments, attachment, stream, stream, socket_next);
		return attachment;
	}
	DL_SEARCH_SCALAR2(stream->attachments, attachment, socket, socket, next);
	return attachment;
}

struct attachment *
attachment_create(struct hub *hub, struct hub_socket *socket, const char *channel, int64_t member_rev)
{
	struct attachment *attachment = calloc(1, sizeof *attachment);

	if (!attachment)
		abort();
	attachment->socket = socket;
	attachment->stream = hub_stream_use(hub, channel);
	attachment->member_rev = member_rev;
	attachment->holding = true;
	DL_APPEND(attachment->stream->attachments, attachment);
	DL_APPEND2(socket->attachments, attachment, socket_prev, socket_next);
	attachment->stream->n_attachments++;
	socket->n_attachments++;
	return attachment;
}

static void
drop_held(struct attachment *attachment)
{
	struct held *held, *next;

	LL_FOREACH_SAFE (attachment->held, held, next) {
		delivery_unref(held->delivery);
		free(held);
	}
	attachment->held = NULL;
}

void
attachment_destroy(struct hub *hub, struct attachment *attachment)
{
	struct stream *stream = attachment->stream;

	if (attachment->awaited)
		attachment->socket->n_unconfirmed--;
	DL_DELETE(stream->attachments, attachment);
	DL_DELETE2(attachment->socket->attachments, attachment, socket_prev, socket_next);
	stream->n_attachments--;
	attachment->socket->n_attachments--;
	drop_held(attachment);
	free(attachment);
	if (!stream->attachments) {
		stream->idle_since_ms = clock_monotonic_ms();
		hub_due(hub, stream);
	}
}

/* The shared frame, or a marker with a delay of the socket's own. */
static void
send_delivery(struct attachment *attachment, const struct delivery *delivery)
{
	struct session *session = attachment->socket->session;
	const char *channel = attachment->stream->channel;
	struct frame *gap;

	if (delivery->kind != DELIVERY_GAP) {
		session_send_durable(session, delivery->frame, channel, delivery->rev);
		return;
	}
	gap = frame_gap(hub_conversation_id(channel), delivery->after_rev, delivery->rev,
			delivery->spread_ms ? random() % delivery->spread_ms : 0, false);
	session_send_durable(session, gap, channel, delivery->rev);
	frame_unref(gap);
	metrics_add(METRIC_GAPS, 1);
}

/* What a person's stream says of memberships: attach to what is new, detach from what is left. */
static void
apply_memberships(struct hub *hub, struct hub_socket *socket, const struct delivery *delivery)
{
	for (size_t i = 0; i < delivery->n_members; i++) {
		const struct delivery_member *member = &delivery->members[i];
		struct attachment *attachment;
		char channel[EVENT_CHANNEL_SIZE];

		hub_channel('c', member->id, channel);
		attachment = attachment_find(socket, channel);
		if (!attachment && !member->left) {
			join_begin(hub, socket, member->id, member->member_rev);
		} else if (!attachment) {
			struct frame *frame = frame_removed(member->id, member->member_rev);

			session_send_durable(socket->session, frame, channel, member->member_rev);
			frame_unref(frame);
		} else if (member->member_rev > attachment->member_rev) {
			if (member->left)
				attachment_destroy(hub, attachment);
			else
				attachment->member_rev = member->member_rev;
		}
	}
}

/* What a conversation's stream says of this socket's own membership. Returns false when the socket has left the stream (or has closed): the attachment is gone then. */
static bool
apply_own_membership(struct hub *hub, struct attachment *attachment, const struct delivery *delivery)
{
	struct hub_socket *socket = attachment->socket;
	struct stream *stream = attachment->stream;
	int64_t left_rev = delivery->deleted ? delivery->rev : 0;

	for (size_t i = 0; i < delivery->n_members; i++) {
		const struct delivery_member *member = &delivery->members[i];

		if (member->member_rev <= attachment->member_rev || strcmp(member->id, socket->user_id) != 0)
			continue;
		if (member->left)
			left_rev = member->member_rev;
		else
			attachment->member_rev = member->member_rev;
	}
	if (!left_rev)
		return true;
	if (delivery->kind == DELIVERY_EVENT) {
		session_send_durable(socket->session, delivery->frame, stream->channel, delivery->rev);
	} else { /* the rows are for members; this one only learns that it is out */
		struct frame *frame = frame_removed(hub_conversation_id(stream->channel), left_rev);

		session_send_durable(socket->session, frame, stream->channel, left_rev);
		frame_unref(frame);
	}
	attachment_destroy(hub, attachment);
	return false;
}

static bool
is_ended(const struct delivery *delivery, const char *session_id)
{
	for (size_t i = 0; i < delivery->n_ended; i++) {
		if (strcmp(delivery->ended[i], session_id) == 0)
			return true;
	}
	return false;
}

void
attachment_pass(struct hub *hub, struct attachment *attachment, struct delivery *delivery)
{
	struct hub_socket *socket = attachment->socket;

	if (attachment->holding) {
		struct held *held = calloc(1, sizeof *held);

		if (!held)
			abort();
		held->delivery = delivery_ref(delivery);
		LL_APPEND(attachment->held, held);
		return;
	}
	if (delivery->kind == DELIVERY_EVENT && delivery->rev <= attachment->head)
		return;
	if (attachment->stream->channel[0] == 'c') {
		if (apply_own_membership(hub, attachment, delivery))
			send_delivery(attachment, delivery);
		return;
	}
	send_delivery(attachment, delivery);
	apply_memberships(hub, socket, delivery);
	if (is_ended(delivery, session_login_id(socket->session)))
		session_close(socket->session, 4403, "revoked");
}

void
attachment_release(struct hub *hub, struct attachment *attachment, int64_t head)
{
	uint64_t number = attachment->socket->number;
	char channel[EVENT_CHANNEL_SIZE];
	struct held *first = attachment->held, *held, *next;

	memcpy(channel, attachment->stream->channel, sizeof channel);
	attachment->held = NULL;
	attachment->holding = false;
	attachment->head = head;
	LL_FOREACH_SAFE (first, held, next) {
		struct hub_socket *socket = hub_socket_find(hub, number); /* passing on may detach or close it */

		attachment = socket ? attachment_find(socket, channel) : NULL;
		if (attachment)
			attachment_pass(hub, attachment, held->delivery);
		delivery_unref(held->delivery);
		free(held);
	}
}

bool
attachment_reaches(const struct attachment *attachment, int64_t head)
{
	struct held *held;

	LL_FOREACH (attachment->held, held) {
		const struct delivery *delivery = held->delivery;

		if (delivery->after_rev <= head && delivery->rev > head && delivery->kind != DELIVERY_GAP)
			head = delivery->rev;
	}
	return head >= attachment->stream->last && head >= attachment->member_rev;
}
