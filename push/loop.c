/* The loop: libuv, and a queue that other threads post to (one mutex, one uv_async). */
#include "loop.h"

#include <assert.h>
#include <stdlib.h>

struct loop {
	uv_loop_t uv;
	uv_async_t wake;
	uv_mutex_t mutex; /* guards first and last: the only things that cross threads here */
	struct loop_item *first, *last;
};

static void
run_posted(struct loop *loop)
{
	struct loop_item *item;

	uv_mutex_lock(&loop->mutex);
	item = loop->first;
	loop->first = loop->last = NULL;
	uv_mutex_unlock(&loop->mutex);

	while (item) {
		struct loop_item *next = item->next;

		item->run(item); /* may free the item */
		item = next;
	}
}

static void
on_wake(uv_async_t *wake)
{
	run_posted(wake->data);
}

enum status
loop_create(struct loop **ret_loop)
{
	struct loop *loop = calloc(1, sizeof *loop);

	if (!loop)
		abort();
	if (uv_loop_init(&loop->uv) < 0) {
		free(loop);
		return ERR_INTERNAL;
	}
	if (uv_mutex_init(&loop->mutex) < 0 || uv_async_init(&loop->uv, &loop->wake, on_wake) < 0)
		abort();
	loop->wake.data = loop;
	*ret_loop = loop;
	return OK;
}

uv_loop_t *
loop_uv(struct loop *loop)
{
	return &loop->uv;
}

void
loop_post(struct loop *loop, struct loop_item *item)
{
	item->next = NULL;
	uv_mutex_lock(&loop->mutex);
	if (loop->last)
		loop->last->next = item;
	else
		loop->first = item;
	loop->last = item;
	uv_mutex_unlock(&loop->mutex);
	uv_async_send(&loop->wake);
}

void
loop_run(struct loop *loop)
{
	uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void
loop_stop(struct loop *loop)
{
	uv_stop(&loop->uv);
}

void
loop_close_handles(struct loop *loop)
{
	run_posted(loop);
	uv_close((uv_handle_t *)&loop->wake, NULL);
}

void
loop_destroy(struct loop *loop)
{
	int left;

	uv_run(&loop->uv, UV_RUN_DEFAULT);
	left = uv_loop_close(&loop->uv);
	assert(left == 0); /* a handle that nobody closed */
	(void)left;
	uv_mutex_destroy(&loop->mutex);
	free(loop);
}
