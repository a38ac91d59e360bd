/* Who watches whom: the lists of the sockets, what is known of the people on them, and the frames that tell it, at most one
 * a second for each socket. It reaches neither Redis nor the database: presence.c reads what is to be read. Loop thread only. */
#ifndef PUSH_PRESENCE_WATCH_H
#define PUSH_PRESENCE_WATCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "events.h"
#include "model/presence.h"

enum {
	PRESENCE_FRAME_MS = 1000,    /* between two frames to one socket */
	PRESENCE_PATIENCE_MS = 1000, /* an answer waits for what must be read, then says unknown */
	PRESENCE_IDLE_MS = 10000,    /* somebody whom nobody watches is kept subscribed */
	PRESENCE_AGAIN_MS = 60000,   /* what was read is read again, in case a record was lost */
	PRESENCE_SPREAD_MS = 5,      /* between the frames of two sockets after Redis was away */
	PRESENCE_SPREAD_MAX_MS = 10000,
};

struct presence_watch;
struct presence_watcher; /* a socket's list */
struct frame;
struct session;

/* How people are subscribed to; `channel` is p:<user>. `soon`: something can be taken or told. */
struct presence_watch_outside {
	void (*subscribe)(void *context, const char *const *channels, size_t n);
	void (*unsubscribe)(void *context, const char *channel);
	void (*soon)(void *context);
	void *context;
};

struct presence_watch *presence_watch_create(const struct presence_watch_outside *outside);
void presence_watch_destroy(struct presence_watch *watch);

/* The frame presence.watch: the handler of its row in events.c. */
void presence_watch_on_frame(struct session *session, const struct event_frame *frame);

/* The socket goes: forgets its list. NULL is fine. */
void presence_watch_leave(struct presence_watcher *watcher);

/* What the bus says. `confirmed` and `record` name a channel p:<user>. */
void presence_watch_up(struct presence_watch *watch);
void presence_watch_down(struct presence_watch *watch);
void presence_watch_confirmed(struct presence_watch *watch, const char *channel);
void presence_watch_record(struct presence_watch *watch, const char *channel, const char *bytes, size_t len);

/* Redis has not answered for a while: all are unknown. */
void presence_watch_lost(struct presence_watch *watch);

/* Everybody is to be read again: a node has died. */
void presence_watch_read_all(struct presence_watch *watch);

/* Ids (up to `max`) to be read from Redis now; each is under way until it is answered by presence_script_read's characters, or
 * NULL. `again_ms`: when to ask again of those that Redis doesn't know yet. */
size_t presence_watch_take(struct presence_watch *watch, char (*ret_ids)[ID_SIZE], size_t max, int64_t now_ms);
void presence_watch_answered(struct presence_watch *watch, char (*ids)[ID_SIZE], size_t n, const char *answers,
			     int64_t now_ms);

/* The same for the rows of the database; NULL for `exists`: it could not be asked. */
size_t presence_watch_take_rows(struct presence_watch *watch, struct presence *ret_people, size_t max);
void presence_watch_rows(struct presence_watch *watch, const struct presence *people, size_t n, const bool *exists);

/* Answers and tells what is due. */
void presence_watch_tick(struct presence_watch *watch, int64_t now_ms);

#endif
