/* The sockets of the hub and the people they belong to: who joins, who leaves, and what a session may ask of its own. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "hub_state.h"

static struct hub_user *
user_use(struct hub *hub, const char *user_id)
{
	struct hub_user *user;

	HASH_FIND_STR(hub->users, user_id, user);
	if (user)
		return user;
	user = calloc(1, sizeof *user);
	if (!user)
		abort();
	memcpy(user->id, user_id, ID_SIZE);
	HASH_ADD_STR(hub->users, id, user);
	return user;
}

static void
user_leave(struct hub *hub, struct hub_socket *socket)
{
	struct hub_user *user;

	HASH_FIND_STR(hub->users, socket->user_id, user);
	assert(user);
	if (--user->n_sockets == 0) {
		if (hub->listener)
			hub->listener->left(hub->listener->context, user->id);
		HASH_DEL(hub->users, user);
		free(user);
	}
}

static void
copy_request(struct hub_request *copy, const struct hub_request *request)
{
	*copy = *request;
	copy->epoch = request->epoch ? strdup(request->epoch) : NULL;
	copy->known = NULL;
	if (request->n_known) {
		struct hub_known *known = calloc(request->n_known, sizeof *known);

		if (!known)
			abort();
		memcpy(known, request->known, request->n_known * sizeof *known);
		copy->known = known;
	}
}

struct hub_socket *
hub_join(struct hub *hub, struct session *session, const char *user_id, const struct hub_request *request,
	 int64_t sockets_max)
{
	struct hub_user *user = user_use(hub, user_id);
	struct hub_socket *socket;

	if (user->n_sockets >= sockets_max)
		return NULL;
	socket = calloc(1, sizeof *socket);
	if (!socket)
		abort();
	socket->number = ++hub->next_number;
	socket->hub = hub;
	socket->session = session;
	memcpy(socket->user_id, user_id, ID_SIZE);
	copy_request(&socket->request, request);
	HASH_ADD(hh, hub->sockets, number, sizeof socket->number, socket);
	if (++user->n_sockets == 1 && hub->listener)
		hub->listener->came(hub->listener->context, user_id);
	hello_begin(hub, socket);
	return socket;
}

void
hub_leave(struct hub *hub, struct hub_socket *socket)
{
	struct attachment *attachment, *next;

	if (!socket)
		return;
	DL_FOREACH_SAFE2(socket->attachments, attachment, next, socket_next)
	{
		attachment_destroy(hub, attachment);
	}
	hello_end(hub, socket);
	user_leave(hub, socket);
	HASH_DEL(hub->sockets, socket);
	free(socket);
}

bool
hub_is_member(const struct hub_socket *socket, const char *conversation_id, int64_t *ret_member_count)
{
	const struct attachment *attachment;
	char channel[EVENT_CHANNEL_SIZE];

	if (!socket || !conversation_id[0])
		return false;
	hub_channel('c', conversation_id, channel);
	attachment = attachment_find(socket, channel);
	if (!attachment || attachment->holding)
		return false;
	*ret_member_count = attachment->stream->member_count;
	return true;
}

bool
hub_is_attached(const struct hub_socket *socket, const char *conversation_id)
{
	char channel[EVENT_CHANNEL_SIZE];

	if (!socket || !conversation_id[0])
		return false;
	hub_channel('c', conversation_id, channel);
	return attachment_find(socket, channel) != NULL;
}

const char *
hub_epoch(const struct hub *hub)
{
	return hub->epoch;
}

/* What is lent to presence. */

void
hub_listen(struct hub *hub, const struct hub_listener *listener)
{
	hub->listener = listener;
}

struct subscriber *
hub_subscriber(const struct hub *hub)
{
	return hub->subscriber;
}

void
hub_each_large(const struct hub *hub, int64_t members,
	       void (*each)(void *context, const char *conversation_id, int64_t member_count), void *context)
{
	const struct stream *stream, *next;

	HASH_ITER (hh, hub->streams, stream, next) {
		if (stream->member_count > members && stream->attachments)
			each(context, hub_conversation_id(stream->channel), stream->member_count);
	}
}
