/* The conversations that somebody else keeps locked, as a writer's thread has found out by waiting in vain: whoever writes to
 * one is refused at once for a while, so that waiting for its lock holds up nobody who writes elsewhere. After that one
 * operation is let through to try. Any thread may ask. */
#ifndef WRITER_HELD_H
#define WRITER_HELD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"

enum {
	HELD_MAX = 16, /* more are not remembered: they are waited for each time */
	HELD_FOR_MS = 1000,
	HELD_TRY_MS = 2000, /* how long whoever is let through may take to find out */
};

struct held {
	pthread_mutex_t mutex;
	struct {
		char conversation_id[ID_SIZE];
		int64_t until_ms; /* by the monotonic clock */
	} entries[HELD_MAX];
	size_t n;
};

void held_init(struct held *held);
void held_finish(struct held *held);

/* Its lock was waited for in vain. */
void held_note(struct held *held, const char *conversation_id, int64_t now_ms);

/* Something was stored in it. A NULL id is nobody's. */
void held_forget(struct held *held, const char *conversation_id);

/* How many milliseconds an operation on it is to be refused for; 0: it may go on, and is the only one until it is noted or
 * forgotten if the conversation was held before. */
int64_t held_refuses_ms(struct held *held, const char *conversation_id, int64_t now_ms);

#endif
