/* Presence of this process: carries between the people here (presence_here), the sockets that watch (presence_watch), the counts
 * of large groups (presence_count), Redis and the table of connections. Loop thread only. */
#ifndef PUSH_PRESENCE_H
#define PUSH_PRESENCE_H

#include "hub.h"
#include "loop.h"
#include "presence_watch.h"
#include "storage.h"

struct presence_daemon;
struct writer;

struct presence_options {
	struct loop *loop;
	struct hub *hub;
	struct storage *storage;
	struct writer *writer;
	const char *node; /* the process's name with a random part: another one after each start */
	int64_t beat_ms, grace_ms, count_ms;
};

struct presence_daemon *presence_create(const struct presence_options *options);
struct presence_watch *presence_watchers(struct presence_daemon *presence);

/* Writes the last rows and closes its handles; before hub_stop and the writer's end. Then, without any socket left, the rest. */
void presence_stop(struct presence_daemon *presence);
void presence_destroy(struct presence_daemon *presence);

#endif
