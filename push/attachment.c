/* What ties a socket to a stream: which deliveries reach it, which wait, and what a membership's change does to it. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "hub_state.h"

struct attachment *
attachment_find(const struct hub_socket *socket, const char *channel)
{
	struct attachment *attachment;

	DL_FOREACH2(socket->attachments, attachment, socket_next)
	{
		if (strcmp(attachment->stream->channel, channel) == 0)
			return attachment;
	}
	return NULL;
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
	drop_held(attachment);
	free(attachment);
	if (!stream->attachments) {
		stream->idle_since_ms = clock_monotonic_ms();
		hub_due(hub, stream);
	}
}

static void
person_effects(struct hub *hub, struct hub_socket *socket, const struct delivery *delivery)
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

/* Returns false when the socket has left the stream (or has closed): the attachment is gone then. */
static bool
conversation_effects(struct hub *hub, struct attachment *attachment, const struct delivery *delivery)
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

void
attachment_pass(struct hub *hub, struct attachment *attachment, struct delivery *delivery)
{
	struct hub_socket *socket = attachment->socket;
	const char *channel = attachment->stream->channel;

	if (attachment->holding) {
		struct held *held = calloc(1, sizeof *held);

		if (!held)
			abort();
		held->delivery = delivery_ref(delivery);
		LL_APPEND(attachment->held, held);
		return;
	}
	if (channel[0] == 'c') {
		if (conversation_effects(hub, attachment, delivery))
			session_send_durable(socket->session, delivery->frame, channel, delivery->rev);
		return;
	}
	session_send_durable(socket->session, delivery->frame, channel, delivery->rev);
	person_effects(hub, socket, delivery);
	if (delivery->session_id[0] && strcmp(delivery->session_id, session_login_id(socket->session)) == 0)
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
	LL_FOREACH_SAFE (first, held, next) {
		struct hub_socket *socket = hub_socket_find(hub, number); /* passing on may detach or close it */

		attachment = socket ? attachment_find(socket, channel) : NULL;
		if (attachment && (held->delivery->kind != DELIVERY_EVENT || held->delivery->rev > head))
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
