/* What presence_watch.c (people watched) and presence_watcher.c (sockets that watch) share; nobody else includes it. */
#ifndef PUSH_PRESENCE_WATCH_STATE_H
#define PUSH_PRESENCE_WATCH_STATE_H

#include <uthash.h>
#include <utlist.h>

#include "model/event.h"
#include "presence_watch.h"
#include "rate.h"

enum row_state { ROW_MISSING, ROW_ASKED, ROW_READ };

struct watched {
	char id[ID_SIZE];
	char channel[EVENT_CHANNEL_SIZE];
	UT_hash_handle hh;
	struct presence presence;
	bool confirmed; /* by the bus, on this connection */
	bool is_read;   /* from Redis since then */
	bool reading;
	int64_t again_at_ms; /* read again then */
	enum row_state row;
	bool exists;
	struct listed *listed; /* by person_next */
	int64_t idle_since_ms; /* 0: watched */
};

/* One person on one socket's list. */
struct listed {
	struct watched *person;
	struct presence_watcher *watcher;
	struct listed *person_prev, *person_next;
	enum presence_status told;
	int64_t told_seen_ms;
};

struct presence_watcher {
	struct presence_watch *watch;
	struct session *session;
	struct listed *list[PRESENCE_IDS_MAX];
	size_t n;
	bool asking; /* a presence.watch is to be answered */
	json_t *id;  /* of that frame, or NULL */
	int64_t answer_by_ms;
	int64_t next_at_ms; /* no frame before it */
	bool dirty;
	struct rate rate;
	struct presence_watcher *prev, *next;             /* all of them */
	struct presence_watcher *dirty_prev, *dirty_next; /* those that may have to be told */
};

struct presence_watch {
	struct presence_watch_outside outside;
	struct watched *people;
	struct presence_watcher *watchers, *dirty;
	size_t n_watchers;
	int64_t swept_at_ms;
	bool rows_due, reads_due; /* somebody may have to be read: else nobody is looked through */
	bool up;
	bool lost; /* all have been told that nothing is known */
};

/* presence_watch.c */
struct watched *presence_watch_use(struct presence_watch *watch, const char *user_id, bool *ret_new);

/* presence_watcher.c */
void presence_watcher_dirty(struct presence_watcher *watcher);
void presence_watcher_pass(struct watched *person, const struct event *event);
void presence_watcher_tell_lost(struct presence_watch *watch);
void presence_watcher_spread(struct presence_watch *watch); /* all are told anew, one after the other */
void presence_watcher_tick(struct presence_watch *watch, int64_t now_ms);

#endif
