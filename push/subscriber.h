/* The receiving end of the bus: one Redis connection that is subscribed, one for the heartbeat, reconnects and all.
 *
 * It remembers nothing about streams but which channels are wanted: the hub owns those. Loop thread only. */
#ifndef PUSH_SUBSCRIBER_H
#define PUSH_SUBSCRIBER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "loop.h"

enum {
	SUBSCRIBER_BATCH = 512,         /* channels in one SUBSCRIBE */
	SUBSCRIBER_HEARTBEAT_MS = 1000, /* published from the command connection to a channel of our own */
	SUBSCRIBER_SILENCE_MS = 2500,   /* none came back for so long, seen at the next one, within 3 s: degraded */
};

struct subscriber;

/* A program for Redis (a literal). Begins as {.text = ...}; `sha` is filled once Redis has it. */
struct subscriber_script {
	const char *text;
	char sha[41];
};

/* The answer's text, NUL-terminated and valid until it returns; NULL when there is none: refused, or the connection was lost. */
typedef void subscriber_done(void *context, const char *text);

struct subscriber_events {
	void (*record)(void *context, const char *channel, const char *bytes, size_t len);
	void (*confirmed)(void *context, const char *channel);
	/* The connection is up (all channels must be subscribed again), or lost. */
	void (*up)(void *context);
	void (*down)(void *context, const char *reason);
};

MUST_USE enum status subscriber_create(struct loop *loop, const char *redis_url, const struct subscriber_events *events,
				       void *context, struct subscriber **ret_subscriber, struct fault *ret_fault);
/* Frees the connections; to be called before the loop ends. */
void subscriber_stop(struct subscriber *subscriber);
void subscriber_destroy(struct subscriber *subscriber);

/* Sends SUBSCRIBE in batches of SUBSCRIBER_BATCH; nothing happens while the connection is down. */
void subscriber_add(struct subscriber *subscriber, const char *const *channels, size_t n_channels);
void subscriber_remove(struct subscriber *subscriber, const char *channel);

bool subscriber_is_up(const struct subscriber *subscriber);

/* Runs a script with `n` arguments, or a plain command of `n` words: `done` is called once, also when the connection is lost.
 * False: it is not up, and `done` will not be called. The caller bounds how many are under way. */
bool subscriber_eval(struct subscriber *subscriber, struct subscriber_script *script, const char *const *arguments,
		     size_t n, subscriber_done *done, void *context);
bool subscriber_command(struct subscriber *subscriber, const char *const *words, size_t n, subscriber_done *done,
			void *context);

#endif
