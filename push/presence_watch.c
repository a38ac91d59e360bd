/* The people watched, and what is known of each: see presence_watch.h. The sockets' side is presence_watcher.c. */
#include "presence_watch.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "log.h"
#include "metrics.h"
#include "presence_watch_state.h"

struct presence_watch *
presence_watch_create(const struct presence_watch_outside *outside)
{
	struct presence_watch *watch = calloc(1, sizeof *watch);

	if (!watch)
		abort();
	watch->outside = *outside;
	return watch;
}

static void
forget(struct presence_watch *watch, struct watched *person)
{
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc,clang-analyzer-core.NullDereference): it cannot follow the macro's links */
	HASH_DEL(watch->people, person);
	metrics_add(METRIC_PRESENCE_WATCHED, -1);
	free(person);
}

void
presence_watch_destroy(struct presence_watch *watch)
{
	struct watched *person, *next;

	if (!watch)
		return;
	HASH_ITER (hh, watch->people, person, next) {
		forget(watch, person);
	}
	free(watch);
}

static struct watched *
find(struct presence_watch *watch, const char *user_id)
{
	struct watched *person;

	HASH_FIND_STR(watch->people, user_id, person);
	return person;
}

struct watched *
presence_watch_use(struct presence_watch *watch, const char *user_id, bool *ret_new)
{
	struct watched *person = find(watch, user_id);

	*ret_new = !person;
	if (person) {
		person->idle_since_ms = 0;
		return person;
	}
	person = calloc(1, sizeof *person);
	if (!person)
		abort();
	memcpy(person->presence.user_id, user_id, ID_SIZE);
	memcpy(person->id, user_id, ID_SIZE);
	memcpy(person->channel, "p:", 2);
	memcpy(person->channel + 2, user_id, ID_SIZE);
	HASH_ADD_STR(watch->people, id, person);
	watch->rows_due = true;
	metrics_add(METRIC_PRESENCE_WATCHED, 1);
	return person;
}

/* What is known of somebody, perhaps anew: all who watch them may have to be told. */
static void
set_presence(struct presence_watch *watch, struct watched *person, enum presence_status status, int64_t last_seen_ms)
{
	struct listed *listed;

	person->presence.status = status;
	if (last_seen_ms > person->presence.last_seen_ms)
		person->presence.last_seen_ms = last_seen_ms;
	DL_FOREACH2(person->listed, listed, person_next)
	presence_watcher_dirty(listed->watcher);
	watch->outside.soon(watch->outside.context);
}

void
presence_watch_up(struct presence_watch *watch)
{
	size_t n = HASH_COUNT(watch->people), i = 0;
	const char **channels = calloc(n + 1, sizeof *channels);
	struct watched *person, *next;

	if (!channels)
		abort();
	HASH_ITER (hh, watch->people, person, next) {
		channels[i++] = person->channel;
	}
	watch->up = true;
	if (watch->lost)
		presence_watcher_spread(watch);
	watch->lost = false;
	watch->outside.subscribe(watch->outside.context, channels, n);
	free(channels);
}

void
presence_watch_down(struct presence_watch *watch)
{
	struct watched *person, *next;

	watch->up = false;
	HASH_ITER (hh, watch->people, person, next) {
		person->confirmed = person->is_read = person->reading = false;
	}
}

void
presence_watch_lost(struct presence_watch *watch)
{
	struct watched *person, *next;

	watch->lost = true;
	HASH_ITER (hh, watch->people, person, next) {
		person->presence.status = PRESENCE_UNKNOWN;
	}
	presence_watcher_tell_lost(watch);
}

void
presence_watch_confirmed(struct presence_watch *watch, const char *channel)
{
	struct watched *person = find(watch, channel + 2);

	if (!person || person->confirmed)
		return;
	person->confirmed = watch->reads_due = true;
	watch->outside.soon(watch->outside.context);
}

void
presence_watch_record(struct presence_watch *watch, const char *channel, const char *bytes, size_t len)
{
	struct watched *person = find(watch, channel + 2);
	enum presence_status status;
	char epoch[EVENT_EPOCH_SIZE];
	int64_t last_seen_ms;
	struct event event;

	if (!person)
		return;
	if (presence_decode(bytes, len, &status, &last_seen_ms) == OK) {
		person->reading = false; /* an answer on its way is older than this, or says the same */
		person->is_read = true;
		set_presence(watch, person, status, last_seen_ms);
	} else if (event_decode(channel, bytes, len, epoch, &event) == OK) {
		presence_watcher_pass(person, &event);
	} else {
		log_warn("record_malformed", LOG_S("channel", channel), LOG_I("bytes", len));
	}
}

void
presence_watch_read_all(struct presence_watch *watch)
{
	struct watched *person, *next;

	HASH_ITER (hh, watch->people, person, next) {
		person->is_read = false;
	}
	watch->reads_due = true;
}

size_t
presence_watch_take(struct presence_watch *watch, char (*ret_ids)[ID_SIZE], size_t max, int64_t now_ms)
{
	struct watched *person, *next;
	size_t n = 0;

	if (!watch->up || !watch->reads_due)
		return 0;
	HASH_ITER (hh, watch->people, person, next) {
		bool due = !person->is_read || now_ms >= person->again_at_ms;

		if (n == max)
			break;
		if (!due || person->reading || !person->confirmed)
			continue;
		person->reading = true;
		memcpy(ret_ids[n++], person->id, ID_SIZE);
	}
	watch->reads_due = n == max;
	return n;
}

void
presence_watch_answered(struct presence_watch *watch, char (*ids)[ID_SIZE], size_t n, const char *answers,
			int64_t now_ms)
{
	if (answers && strlen(answers) != n)
		answers = NULL;
	for (size_t i = 0; i < n; i++) {
		struct watched *person = find(watch, ids[i]);

		if (!person || !person->reading)
			continue;
		person->reading = false;
		if (!answers || !watch->up)
			continue;
		person->is_read = true;
		person->again_at_ms = now_ms + PRESENCE_AGAIN_MS / (answers[i] == '?' ? 30 : 1);
		set_presence(watch, person,
			     answers[i] == '+'   ? PRESENCE_ONLINE
			     : answers[i] == '-' ? PRESENCE_OFFLINE
						 : PRESENCE_UNKNOWN,
			     0);
	}
}

size_t
presence_watch_take_rows(struct presence_watch *watch, struct presence *ret_people, size_t max)
{
	struct watched *person, *next;
	size_t n = 0;

	if (!watch->rows_due)
		return 0;
	HASH_ITER (hh, watch->people, person, next) {
		if (n == max)
			break;
		if (person->row != ROW_MISSING)
			continue;
		person->row = ROW_ASKED;
		ret_people[n++] = person->presence;
	}
	watch->rows_due = n == max;
	return n;
}

void
presence_watch_rows(struct presence_watch *watch, const struct presence *people, size_t n, const bool *exists)
{
	for (size_t i = 0; i < n; i++) {
		struct watched *person = find(watch, people[i].user_id);

		if (!person)
			continue;
		person->row = ROW_READ;
		person->exists = !exists || exists[i];
		if (exists && people[i].last_seen_ms > person->presence.last_seen_ms)
			person->presence.last_seen_ms = people[i].last_seen_ms;
	}
	watch->outside.soon(watch->outside.context);
}

void
presence_watch_tick(struct presence_watch *watch, int64_t now_ms)
{
	struct watched *person, *next;

	presence_watcher_tick(watch, now_ms);
	if (now_ms - watch->swept_at_ms < PRESENCE_FRAME_MS)
		return;
	watch->swept_at_ms = now_ms;
	watch->reads_due = true; /* those whose turn to be read again it is */
	HASH_ITER (hh, watch->people, person, next) {
		if (!person->idle_since_ms || now_ms - person->idle_since_ms < PRESENCE_IDLE_MS)
			continue;
		watch->outside.unsubscribe(watch->outside.context, person->channel);
		forget(watch, person);
	}
}
