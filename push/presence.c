/* The carrier: one timer and a few commands to Redis under way. Everything is asked for by state, not by event: what gets no
 * answer is simply taken again. */
#include "presence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "log.h"
#include "metrics.h"
#include "model/presence_script.h"
#include "presence_count.h"
#include "presence_here.h"
#include "store/connections.h"
#include "subscriber.h"
#include "writer/writer.h"

enum {
	TICK_MS = 100,
	LIVES_FOR_BEATS = 3,
	CHANGES = 128,        /* in one command */
	CALLS_MAX = 4,        /* of writing, and of reading, under way */
	ROWS = 256,           /* in one operation of the writer */
	ROWS_MS = 5000,       /* between two: one write a person and 5 s */
	LOST_AFTER_MS = 2000, /* without Redis: nobody is known any more */
	NODES_MAX_BYTES = 16384,
};

struct presence_daemon {
	struct presence_options options;
	struct hub_listener listener;
	struct presence_here *here;
	struct presence_watch *watch;
	struct presence_count *count;
	uv_timer_t tick, soon;
	size_t n_writing, n_reading;
	bool beating, announce, saving, asking_rows, stopping;
	int64_t beat_at_ms, rows_at_ms, lost_at_ms;
	char nodes[NODES_MAX_BYTES]; /* those that lived, a line each */
	char ttl[24];
};

static struct subscriber_script beat_script = {.text = presence_script_beat};
static struct subscriber_script write_script = {.text = presence_script_write};
static struct subscriber_script read_script = {.text = presence_script_read};

static bool
eval(struct presence_daemon *presence, struct subscriber_script *script, const char *const *arguments, size_t n,
     subscriber_done *done, void *context)
{
	metrics_add(METRIC_PRESENCE_COMMANDS, 1);
	return subscriber_eval(hub_subscriber(presence->options.hub), script, arguments, n, done, context);
}

static void on_soon(uv_timer_t *timer);

static void
soon(void *context)
{
	struct presence_daemon *presence = context;

	if (!presence->stopping)
		uv_timer_start(&presence->soon, on_soon, 0, 0);
}

/* Writing the people here to Redis. */

struct write_call {
	struct presence_daemon *presence;
	struct presence_change changes[CHANGES];
	char seen[CHANGES][24];
	size_t n;
};

static void
on_written(void *context, const char *text)
{
	struct write_call *call = context;
	struct presence_daemon *presence = call->presence;

	presence->n_writing--;
	presence_here_answered(presence->here, call->changes, call->n, text);
	free(call);
	if (text)
		soon(presence);
}

static void
write_people(struct presence_daemon *presence)
{
	const char *words[3 + 3 * CHANGES] = {presence->options.node, presence->ttl, presence->announce ? "1" : "0"};

	while (presence->n_writing < CALLS_MAX) {
		struct write_call *call = calloc(1, sizeof *call);

		if (!call)
			abort();
		call->presence = presence;
		call->n = presence_here_take(presence->here, call->changes, CHANGES);
		if (call->n == 0) {
			presence->announce = presence->announce && presence->n_writing > 0;
			free(call);
			return;
		}
		for (size_t i = 0; i < call->n; i++) {
			snprintf(call->seen[i], sizeof call->seen[i], "%lld", (long long)call->changes[i].seen_ms);
			words[3 + 3 * i] = call->changes[i].user_id;
			words[4 + 3 * i] = call->changes[i].here ? "1" : "0";
			words[5 + 3 * i] = call->seen[i];
		}
		presence->n_writing++;
		if (!eval(presence, &write_script, words, 3 + 3 * call->n, on_written, call)) {
			on_written(call, NULL);
			return;
		}
	}
}

/* Reading those who are watched. */

struct read_call {
	struct presence_daemon *presence;
	char ids[PRESENCE_IDS_MAX][ID_SIZE];
	size_t n;
};

static void
on_people_read(void *context, const char *text)
{
	struct read_call *call = context;
	struct presence_daemon *presence = call->presence;

	presence->n_reading--;
	presence_watch_answered(presence->watch, call->ids, call->n, text, clock_monotonic_ms());
	free(call);
}

static void
read_people(struct presence_daemon *presence)
{
	const char *words[PRESENCE_IDS_MAX];

	while (presence->n_reading < CALLS_MAX) {
		struct read_call *call = calloc(1, sizeof *call);

		if (!call)
			abort();
		call->presence = presence;
		call->n = presence_watch_take(presence->watch, call->ids, PRESENCE_IDS_MAX, clock_monotonic_ms());
		if (call->n == 0) {
			free(call);
			return;
		}
		for (size_t i = 0; i < call->n; i++)
			words[i] = call->ids[i];
		presence->n_reading++;
		if (!eval(presence, &read_script, words, call->n, on_people_read, call)) {
			on_people_read(call, NULL);
			return;
		}
	}
}

/* Rows: reading when those who are watched were last seen. */

struct rows_job {
	struct storage_job job; /* first member */
	struct presence_daemon *presence;
	struct presence people[PRESENCE_IDS_MAX];
	bool exists[PRESENCE_IDS_MAX];
	size_t n;
};

static void
rows_work(struct storage_job *job, struct db *db)
{
	struct rows_job *rows = (struct rows_job *)job;

	job->status = connections_last_seen(db, rows->people, rows->n, rows->exists);
}

static void
rows_done(struct storage_job *job)
{
	struct rows_job *rows = (struct rows_job *)job;

	rows->presence->asking_rows = false;
	presence_watch_rows(rows->presence->watch, rows->people, rows->n, job->status == OK ? rows->exists : NULL);
	arena_finish(&job->arena);
	free(rows);
}

static void
read_rows(struct presence_daemon *presence)
{
	struct rows_job *rows;

	if (presence->asking_rows)
		return;
	rows = calloc(1, sizeof *rows);
	if (!rows)
		abort();
	rows->n = presence_watch_take_rows(presence->watch, rows->people, PRESENCE_IDS_MAX);
	if (rows->n == 0) {
		free(rows);
		return;
	}
	rows->presence = presence;
	rows->job.work = rows_work;
	rows->job.done = rows_done;
	presence->asking_rows = true;
	storage_submit(presence->options.storage, &rows->job);
}

/* Rows: writing behind. */

struct save {
	struct write_connections write; /* first member */
	struct loop_item item;
	struct presence_daemon *presence;
	struct presence rows[ROWS];
};

static bool save_rows(struct presence_daemon *presence);

static void
on_saved(struct loop_item *item)
{
	struct save *save = (struct save *)((char *)item - offsetof(struct save, item));
	struct presence_daemon *presence = save->presence;
	bool failed = save->write.op.status != OK;

	presence->saving = false;
	if (failed)
		presence_here_rows_failed(presence->here, save->rows, save->write.n_people);
	arena_finish(&save->write.op.arena);
	free(save);
	if (!failed && !presence->stopping)
		save_rows(presence);
}

static void
on_committed(struct write_op *op)
{
	struct save *save = (struct save *)op;

	loop_post(save->presence->options.loop, &save->item);
}

/* Up to ROWS of them; false when there is none. */
static bool
save_rows(struct presence_daemon *presence)
{
	struct save *save = calloc(1, sizeof *save);

	if (!save)
		abort();
	save->write.n_people = presence_here_take_rows(presence->here, save->rows, ROWS);
	if (save->write.n_people == 0) {
		free(save);
		return false;
	}
	save->presence = presence;
	save->item.run = on_saved;
	save->write.people = save->rows;
	save->write.op.kind = WRITE_CONNECTIONS;
	save->write.op.done = on_committed;
	presence->saving = true;
	if (writer_submit(presence->options.writer, &save->write.op) == OK)
		return true;
	save->write.op.status = ERR_UNAVAILABLE;
	on_saved(&save->item);
	return false;
}

/* The beat. */

/* Whether each line of `before` is among those of `now`. */
static bool
all_live(const char *before, const char *now)
{
	char line[256];

	while (*before) {
		size_t len = strcspn(before, "\n");

		if (len + 2 < sizeof line) {
			snprintf(line, sizeof line, "\n%.*s\n", (int)len, before);
			if (!strstr(now, line))
				return false;
		}
		before += len + (before[len] == '\n');
	}
	return true;
}

static void
on_beat(void *context, const char *text)
{
	struct presence_daemon *presence = context;
	char now[NODES_MAX_BYTES];

	presence->beating = false;
	if (!text)
		return;
	if (text[0] !=
	    '1') { /* Redis has forgotten us, or we were silent for too long: others believe our people gone */
		presence->announce = true;
		presence_here_rewrite(presence->here);
		soon(presence);
	}
	snprintf(now, sizeof now, "%s\n", text + 1); /* each name between two line ends */
	if (!all_live(presence->nodes, now)) {
		log_info("presence_node_gone", LOG_S("node", presence->options.node));
		presence_watch_read_all(presence->watch);
		soon(presence);
	}
	snprintf(presence->nodes, sizeof presence->nodes, "%s", now[0] == '\n' ? now + 1 : now);
}

static void
beat(struct presence_daemon *presence, int64_t now_ms)
{
	const char *words[] = {presence->options.node, presence->ttl};

	if (presence->beating || now_ms < presence->beat_at_ms)
		return;
	presence->beat_at_ms = now_ms + presence->options.beat_ms;
	presence->beating = eval(presence, &beat_script, words, 2, on_beat, presence);
}

/* Time. */

static void
look(struct presence_daemon *presence)
{
	int64_t now_ms = clock_monotonic_ms();
	bool up = subscriber_is_up(hub_subscriber(presence->options.hub));

	if (up) {
		beat(presence, now_ms);
		write_people(presence);
		read_people(presence);
	}
	read_rows(presence);
	presence_watch_tick(presence->watch, now_ms);
}

static void
on_soon(uv_timer_t *timer)
{
	look(timer->data);
}

static void
on_tick(uv_timer_t *timer)
{
	struct presence_daemon *presence = timer->data;
	int64_t now_ms = clock_monotonic_ms();
	bool up = subscriber_is_up(hub_subscriber(presence->options.hub));

	presence_here_tick(presence->here, now_ms, up);
	if (!presence->saving && now_ms >= presence->rows_at_ms) {
		presence->rows_at_ms = now_ms + ROWS_MS;
		save_rows(presence);
	}
	if (presence->lost_at_ms && now_ms >= presence->lost_at_ms) {
		presence->lost_at_ms = 0;
		presence_watch_lost(presence->watch);
	}
	if (up)
		presence_count_tick(presence->count, now_ms);
	look(presence);
}

/* What the hub tells. */

static void
on_came(void *context, const char *user_id)
{
	struct presence_daemon *presence = context;

	presence_here_came(presence->here, user_id, clock_monotonic_ms());
	soon(presence);
}

static void
on_left(void *context, const char *user_id)
{
	presence_here_left(((struct presence_daemon *)context)->here, user_id, clock_monotonic_ms());
}

static void
on_record(void *context, const char *channel, const char *bytes, size_t len)
{
	struct presence_daemon *presence = context;

	if (strcmp(channel, PRESENCE_NODES_CHANNEL) != 0) {
		presence_watch_record(presence->watch, channel, bytes, len);
		return;
	}
	presence->announce = true;
	presence_here_rewrite(presence->here);
	soon(presence);
}

static void
on_confirmed(void *context, const char *channel)
{
	presence_watch_confirmed(((struct presence_daemon *)context)->watch, channel);
}

static void
on_up(void *context)
{
	static const char *const channels[] = {PRESENCE_NODES_CHANNEL};
	struct presence_daemon *presence = context;

	presence->lost_at_ms = presence->beat_at_ms = 0;
	subscriber_add(hub_subscriber(presence->options.hub), channels, 1);
	presence_here_rewrite(presence->here);
	presence_watch_up(presence->watch);
	soon(presence);
}

static void
on_down(void *context)
{
	struct presence_daemon *presence = context;

	presence->lost_at_ms = clock_monotonic_ms() + LOST_AFTER_MS;
	presence_watch_down(presence->watch);
}

static void
subscribe(void *context, const char *const *channels, size_t n)
{
	subscriber_add(hub_subscriber(((struct presence_daemon *)context)->options.hub), channels, n);
}

static void
unsubscribe(void *context, const char *channel)
{
	subscriber_remove(hub_subscriber(((struct presence_daemon *)context)->options.hub), channel);
}

/* Beginning and end. */

struct presence_daemon *
presence_create(const struct presence_options *options)
{
	struct presence_daemon *presence = calloc(1, sizeof *presence);
	const struct presence_watch_outside outside = {subscribe, unsubscribe, soon, presence};

	if (!presence)
		abort();
	presence->options = *options;
	snprintf(presence->ttl, sizeof presence->ttl, "%lld", (long long)options->beat_ms * LIVES_FOR_BEATS);
	presence->here = presence_here_create(options->grace_ms);
	presence->watch = presence_watch_create(&outside);
	presence->count = presence_count_create(options->hub, options->storage, options->node, options->count_ms);
	presence->listener = (struct hub_listener){presence, on_came, on_left, on_record, on_confirmed, on_up, on_down};
	hub_listen(options->hub, &presence->listener);
	uv_timer_init(loop_uv(options->loop), &presence->tick);
	uv_timer_init(loop_uv(options->loop), &presence->soon);
	presence->tick.data = presence->soon.data = presence;
	uv_timer_start(&presence->tick, on_tick, TICK_MS, TICK_MS);
	return presence;
}

struct presence_watch *
presence_watchers(struct presence_daemon *presence)
{
	return presence->watch;
}

void
presence_stop(struct presence_daemon *presence)
{
	presence->stopping = true;
	presence_here_end(presence->here);
	while (save_rows(presence))
		;
	uv_close((uv_handle_t *)&presence->tick, NULL);
	uv_close((uv_handle_t *)&presence->soon, NULL);
}

void
presence_destroy(struct presence_daemon *presence)
{
	if (!presence)
		return;
	hub_listen(presence->options.hub, NULL);
	presence_here_destroy(presence->here);
	presence_watch_destroy(presence->watch);
	presence_count_destroy(presence->count);
	free(presence);
}
