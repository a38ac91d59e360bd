/* The one event loop of the daemon, and the way back to it for other threads. */
#ifndef PUSH_LOOP_H
#define PUSH_LOOP_H

#include <uv.h>

#include "base/status.h"

struct loop;

/* Something that another thread has finished; `run` is called on the loop. Embedded in the caller's struct. */
struct loop_item {
	void (*run)(struct loop_item *item);
	struct loop_item *next;
};

MUST_USE enum status loop_create(struct loop **ret_loop);
uv_loop_t *loop_uv(struct loop *loop);

/* From any thread; items run in the order of posting. Takes no memory. */
void loop_post(struct loop *loop, struct loop_item *item);

/* Runs until loop_stop (main calls it when the process has been told to end). */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* Runs what has been posted, closes the loop's own handles; the caller then ends the WebSocket library, and calls
 * loop_destroy. */
void loop_close_handles(struct loop *loop);
void loop_destroy(struct loop *loop);

#endif
