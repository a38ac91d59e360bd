/* The people of this process: who has a socket here, who has just lost the last one, and what Redis and the table of
 * connections still have to hear of it. It reaches nothing itself: presence.c carries what is taken here. */
#ifndef PUSH_PRESENCE_HERE_H
#define PUSH_PRESENCE_HERE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/presence.h"

enum { PRESENCE_REFRESH_MS = 600000 }; /* who stays is written again: Redis and the table forget nobody who is there */

struct presence_here;

struct presence_change {
	char user_id[ID_SIZE];
	bool here;
	int64_t seen_ms; /* wall clock */
};

struct presence_here *presence_here_create(int64_t grace_ms);
void presence_here_destroy(struct presence_here *here);

void presence_here_came(struct presence_here *here, const char *user_id, int64_t now_ms);
void presence_here_left(struct presence_here *here, const char *user_id, int64_t now_ms);

/* Ends what has lasted long enough. `up`: Redis will tell whether somebody is still elsewhere; without it, who left has left. */
void presence_here_tick(struct presence_here *here, int64_t now_ms, bool up);

/* All that Redis should hold must be written again. */
void presence_here_rewrite(struct presence_here *here);

/* Up to `max` changes for Redis; each is under way until it is answered. */
size_t presence_here_take(struct presence_here *here, struct presence_change *ret_changes, size_t max);
/* The answers of presence_script_write, a character each; NULL: there were none, and they are taken again. */
void presence_here_answered(struct presence_here *here, const struct presence_change *changes, size_t n,
			    const char *answers);

/* Up to `max` rows for the table; those that could not be written are given back. */
size_t presence_here_take_rows(struct presence_here *here, struct presence *ret_rows, size_t max);
void presence_here_rows_failed(struct presence_here *here, const struct presence *rows, size_t n);

/* The process ends: who has left, though the grace is not over, has a row. */
void presence_here_end(struct presence_here *here);

#endif
