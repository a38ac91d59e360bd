/* The conversations and people that somebody else keeps locked, as a writer's thread has found out by waiting in vain: what
 * concerns one is refused at once for a while, so that waiting for its lock holds up nobody who writes elsewhere. After that one
 * operation is let through to try. The thread notes and forgets; any other may ask. */
#ifndef WRITER_HELD_H
#define WRITER_HELD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"

enum {
	HELD_MAX = 16, /* more at a time are not remembered: they are waited for each time */
	HELD_FOR_MS = 1000,
	HELD_TRY_MS = 2000, /* how long whoever is let through may take to find out */
};

struct held {
	pthread_mutex_t mutex;
	struct {
		char id[ID_SIZE];
		int64_t until_ms; /* by the monotonic clock */
	} entries[HELD_MAX];
	size_t n;
};

void held_init(struct held *held);
void held_finish(struct held *held);

/* Its lock was waited for in vain. When there is no room, one that nobody has asked for since its time was over gives way. */
void held_note(struct held *held, const char *id, int64_t now_ms);

/* It was locked. A NULL id is nobody's. */
void held_forget(struct held *held, const char *id);

/* Whether any of them is remembered, be it that somebody may try. */
bool held_has_any(struct held *held, const char *const *ids, size_t n_ids);

/* How many milliseconds an operation on all of them is to be refused for; 0: it may go on, and is the only one until they are
 * noted or forgotten if they were held before. */
int64_t held_refuses_ms(struct held *held, const char *const *ids, size_t n_ids, int64_t now_ms);

#endif
