/* The sockets that watch: the frame presence.watch and its answer, and what is told afterwards. A socket that doesn't read is
 * not told: what has changed is compared with what it was told last when it reads again, so nothing queues. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "frame.h"
#include "json.h"
#include "metrics.h"
#include "presence_watch_state.h"
#include "reply.h"
#include "session_private.h"

/* Each new list may cost a subscription and a read for everybody on it. */
static const struct rate_limit LISTS = {.per_second = 4, .burst = 20};

void
presence_watcher_dirty(struct presence_watcher *watcher)
{
	if (watcher->dirty)
		return;
	watcher->dirty = true;
	DL_APPEND2(watcher->watch->dirty, watcher, dirty_prev, dirty_next);
}

static void
clean(struct presence_watcher *watcher)
{
	if (!watcher->dirty)
		return;
	watcher->dirty = false;
	DL_DELETE2(watcher->watch->dirty, watcher, dirty_prev, dirty_next);
}

static void
unlist(struct listed *listed)
{
	struct watched *person = listed->person;

	DL_DELETE2(person->listed, listed, person_prev, person_next);
	if (!person->listed)
		person->idle_since_ms = clock_monotonic_ms();
	free(listed);
}

void
presence_watch_leave(struct presence_watcher *watcher)
{
	if (!watcher)
		return;
	clean(watcher);
	for (size_t i = 0; i < watcher->n; i++)
		unlist(watcher->list[i]);
	DL_DELETE(watcher->watch->watchers, watcher);
	watcher->watch->n_watchers--;
	json_decref(watcher->id);
	free(watcher);
}

static struct presence_watcher *
watcher_of(struct session *session)
{
	struct presence_watch *watch = session->server->options.presence_watch;
	struct presence_watcher *watcher = session->watcher;

	if (watcher)
		return watcher;
	watcher = calloc(1, sizeof *watcher);
	if (!watcher)
		abort();
	watcher->watch = watch;
	watcher->session = session;
	rate_init(&watcher->rate, &LISTS, clock_monotonic_ms());
	DL_APPEND(watch->watchers, watcher);
	watch->n_watchers++;
	return session->watcher = watcher;
}

/* Telling. */

static void
append(json_t *items, struct listed *listed)
{
	listed->told = listed->person->presence.status;
	listed->told_seen_ms = listed->person->presence.last_seen_ms;
	json_array_append_new(items, presence_to_json(&listed->person->presence));
}

static bool
has_changed(const struct listed *listed)
{
	const struct presence *presence = &listed->person->presence;

	return listed->person->exists &&
	       (listed->told != presence->status ||
		(presence->status != PRESENCE_ONLINE && listed->told_seen_ms != presence->last_seen_ms));
}

static void
tell_changes(struct presence_watcher *watcher)
{
	json_t *items = json_array();
	struct frame *frame;

	for (size_t i = 0; i < watcher->n; i++)
		if (has_changed(watcher->list[i]))
			append(items, watcher->list[i]);
	if (json_array_size(items) == 0) {
		json_decref(items);
		return;
	}
	frame = frame_from_json(json_pack("{s:s, s:o}", "type", "presence.updated", "items", items));
	session_send_ephemeral(watcher->session, frame, "presence");
	frame_unref(frame);
	watcher->next_at_ms = clock_monotonic_ms() + PRESENCE_FRAME_MS;
	metrics_add(METRIC_PRESENCE_FRAMES, 1);
}

/* Whether all that can be read of the list has been. */
static bool
is_ready(const struct presence_watcher *watcher)
{
	for (size_t i = 0; i < watcher->n; i++) {
		const struct watched *person = watcher->list[i]->person;

		if (person->row != ROW_READ || (watcher->watch->up && !person->is_read))
			return false;
	}
	return true;
}

static void
answer(struct presence_watcher *watcher)
{
	json_t *items = json_array(), *reply = reply_ok(watcher->id);

	for (size_t i = 0; i < watcher->n; i++)
		if (watcher->list[i]->person->exists)
			append(items, watcher->list[i]);
	json_object_set_new(reply, "items", items);
	json_decref(watcher->id);
	watcher->id = NULL;
	watcher->asking = false;
	watcher->next_at_ms = clock_monotonic_ms() + PRESENCE_FRAME_MS;
	session_reply(watcher->session, reply);
}

void
presence_watcher_tick(struct presence_watch *watch, int64_t now_ms)
{
	struct presence_watcher *watcher, *next;

	DL_FOREACH_SAFE2(watch->dirty, watcher, next, dirty_next)
	{
		if (watcher->asking) {
			if (!is_ready(watcher) && now_ms < watcher->answer_by_ms)
				continue;
			clean(watcher);
			answer(watcher);
		} else if (now_ms >= watcher->next_at_ms && session_is_clear(watcher->session)) {
			clean(watcher);
			tell_changes(watcher);
		}
	}
}

void
presence_watcher_tell_lost(struct presence_watch *watch)
{
	struct frame *frame = frame_from_json(json_pack("{s:s}", "type", "presence.unknown"));
	struct presence_watcher *watcher;

	DL_FOREACH (watch->watchers, watcher) {
		for (size_t i = 0; i < watcher->n; i++)
			watcher->list[i]->told = PRESENCE_UNKNOWN;
		session_send_ephemeral(watcher->session, frame, "presence");
	}
	frame_unref(frame);
}

void
presence_watcher_spread(struct presence_watch *watch)
{
	int64_t window_ms = (int64_t)watch->n_watchers * PRESENCE_SPREAD_MS, now_ms = clock_monotonic_ms();
	struct presence_watcher *watcher;

	if (window_ms > PRESENCE_SPREAD_MAX_MS)
		window_ms = PRESENCE_SPREAD_MAX_MS;
	DL_FOREACH (watch->watchers, watcher) {
		watcher->next_at_ms = now_ms + PRESENCE_FRAME_MS / 2 + random() % (window_ms + 1);
	}
}

void
presence_watcher_pass(struct watched *person, const struct event *event)
{
	struct frame *frame = frame_create(event->json, event->json_len);
	char key[EVENT_KIND_SIZE + EVENT_CHANNEL_SIZE];
	struct listed *listed, *next;

	snprintf(key, sizeof key, "%s %s", event->kind, person->channel);
	DL_FOREACH_SAFE2(person->listed, listed, next, person_next)
	{
		session_send_ephemeral(listed->watcher->session, frame, key);
	}
	frame_unref(frame);
}

/* The frame. */

static int
compare_ids(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Ids in order, each once. */
static enum status
read_ids(const json_t *array, char (*ret_ids)[ID_SIZE], size_t *ret_n, struct fault *ret_fault)
{
	size_t n = 0, n_unique = 0;

	if (json_array_size(array) > PRESENCE_IDS_MAX)
		return fault_set(ret_fault, ERR_INVALID, "too_many", "user_ids", "At most %d people can be watched.",
				 PRESENCE_IDS_MAX);
	for (; n < json_array_size(array); n++) {
		const char *text = json_string_value(json_array_get(array, n));

		if (!text || !id_normalize(text, ret_ids[n]))
			return fault_set(ret_fault, ERR_INVALID, "bad_id", "user_ids", "user_ids must be UUIDs.");
	}
	if (n)
		qsort(ret_ids, n, sizeof *ret_ids, compare_ids);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || strcmp(ret_ids[i], ret_ids[n_unique - 1]) != 0)
			memmove(ret_ids[n_unique++], ret_ids[i], ID_SIZE);
	*ret_n = n_unique;
	return OK;
}

/* The new list in place of the old; who is on both stays watched without a gap. */
static void
replace_list(struct presence_watcher *watcher, char (*ids)[ID_SIZE], size_t n)
{
	struct presence_watch *watch = watcher->watch;
	struct listed *list[PRESENCE_IDS_MAX];
	const char *channels[PRESENCE_IDS_MAX];
	size_t n_channels = 0;

	for (size_t i = 0; i < n; i++) {
		bool is_new;

		list[i] = calloc(1, sizeof *list[i]);
		if (!list[i])
			abort();
		list[i]->watcher = watcher;
		list[i]->person = presence_watch_use(watch, ids[i], &is_new);
		DL_APPEND2(list[i]->person->listed, list[i], person_prev, person_next);
		if (is_new)
			channels[n_channels++] = list[i]->person->channel;
	}
	for (size_t i = 0; i < watcher->n; i++)
		unlist(watcher->list[i]);
	if (n)
		memcpy(watcher->list, list, n * sizeof *list);
	watcher->n = n;
	if (watch->up && n_channels)
		watch->outside.subscribe(watch->outside.context, channels, n_channels);
}

void
presence_watch_on_frame(struct session *session, const struct event_frame *frame)
{
	struct presence_watcher *watcher = watcher_of(session);
	char ids[PRESENCE_IDS_MAX][ID_SIZE];
	json_t *array = NULL;
	const struct json_field fields[] = {{"user_ids", JSON_KIND_ARRAY, true, &array}};
	struct fault fault = {0};
	int64_t retry_after_ms = 0, now_ms = clock_monotonic_ms();
	size_t n;

	if (json_decode(frame->body, fields, 1, frame->arena, &fault) != OK || read_ids(array, ids, &n, &fault) != OK) {
		session_reply(session, reply_error(frame->id, &fault, 0));
		return;
	}
	if (rate_take(&watcher->rate, &LISTS, now_ms, &retry_after_ms) != RATE_WITHIN) {
		fault_set(&fault, ERR_RATE_LIMITED, "rate_limited", NULL,
			  "Too many lists in a short time: wait for retry_after_ms, then send the newest.");
		session_reply(session, reply_error(frame->id, &fault, retry_after_ms));
		return;
	}
	if (watcher->asking)
		answer(watcher); /* of the list before, as far as it is known */
	replace_list(watcher, ids, n);
	watcher->asking = true;
	watcher->id = json_incref(frame->id);
	watcher->answer_by_ms = now_ms + PRESENCE_PATIENCE_MS;
	presence_watcher_dirty(watcher);
	watcher->watch->outside.soon(watcher->watch->outside.context);
}
