/* Who gets what: the streams that sockets of this process are attached to, the last revision delivered of each, and the rule
 * that a missing revision is never passed over in silence.
 *
 * The hub is fed by subscriber (records of the bus) and heads (what the database says), asks storage for what it must read,
 * and writes to sessions. Loop thread only. */
#ifndef PUSH_HUB_H
#define PUSH_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"
#include "base/status.h"
#include "loop.h"
#include "model/event.h"
#include "storage.h"

struct hub;
struct hub_socket;
struct session;
struct subscriber;

struct hub_known {
	char conversation_id[ID_SIZE];
	int64_t rev;
};

/* What a client says it has, from its auth frame. Copied. */
struct hub_request {
	const char *epoch; /* NULL: none said */
	int64_t me;        /* -1: none said */
	const struct hub_known *known;
	size_t n_known;
	int64_t known_count; /* of all it holds; larger than n_known: it must sync */
	bool has_known;
};

/* Who else wants to know: presence. All are called on the loop; all must be there. */
struct hub_listener {
	void *context;
	void (*came)(void *context, const char *user_id); /* a person's first socket of this process */
	void (*left)(void *context, const char *user_id); /* the last one */
	void (*record)(void *context, const char *channel, const char *bytes, size_t len); /* of channels p:... */
	void (*confirmed)(void *context, const char *channel);
	void (*up)(void *context);
	void (*down)(void *context);
};

MUST_USE enum status hub_create(struct loop *loop, struct storage *storage, const char *redis_url, struct hub **ret_hub,
				struct fault *ret_fault);

/* Stops timers and frees the Redis connection (before the loop's handles are closed); then frees the rest. No socket may be
 * left for hub_destroy. */
void hub_stop(struct hub *hub);
void hub_destroy(struct hub *hub);

/* Starts the hello of an authenticated session: session_greet is called when its streams are read, then removed, gaps and
 * what waited. Sockets of a user beyond `sockets_max` are refused: NULL. */
struct hub_socket *hub_join(struct hub *hub, struct session *session, const char *user_id,
			    const struct hub_request *request, int64_t sockets_max);

/* Forgets the socket: called once by session when it closes. NULL is fine. */
void hub_leave(struct hub *hub, struct hub_socket *socket);

/* Whether the socket gets what the conversation says, which is the proof that its person is a member. *ret_member_count: how
 * many there are, at most a heads check old. "" is no conversation. */
bool hub_is_member(const struct hub_socket *socket, const char *conversation_id, int64_t *ret_member_count);

/* The same while what came meanwhile is still held back, too. False also of a conversation that was joined this very moment. */
bool hub_is_attached(const struct hub_socket *socket, const char *conversation_id);

/* One listener, before the loop runs; NULL takes it away. Borrowed. */
void hub_listen(struct hub *hub, const struct hub_listener *listener);

/* The connection to the bus, for channels and commands of the listener's own. */
struct subscriber *hub_subscriber(const struct hub *hub);

/* Calls `each` for every conversation of more than `members` that sockets are attached to. */
void hub_each_large(const struct hub *hub, int64_t members,
		    void (*each)(void *context, const char *conversation_id, int64_t member_count), void *context);

/* The epoch for records of one's own. */
const char *hub_epoch(const struct hub *hub);

/* Whether records arrive ("normal") or the database is asked instead ("degraded"). */
const char *hub_mode(const struct hub *hub);

#endif
