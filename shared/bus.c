/* Publishing to Redis (redis.h, on a thread of its own).
 *
 * The thread takes what has queued, sends it as one pipeline and reads the replies. The first failure opens the breaker:
 * what waits is dropped, and so is everything until a probe, one each second, has been answered. The probe also runs while
 * nothing is published, so that an idle process knows whether Redis is there. */
#include "bus.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/thread.h"
#include "metrics.h"
#include "redis.h"

enum {
	PIPELINE_MAX = 512,                 /* records in one pipeline: a few milliseconds of Redis' time */
	QUEUE_BYTES_MAX = 64 * 1024 * 1024, /* a Redis that is slow, not down, must not take the memory */
	DRAIN_MS = 200,
};

enum bus_state {
	BUS_STARTING, /* nothing is known yet: records wait */
	BUS_UP,
	BUS_DOWN, /* the breaker is open: records are dropped */
};

struct record {
	struct record *next;
	size_t channel_len, len;
	char bytes[]; /* the channel, then the record */
};

struct bus {
	struct redis *redis;
	pthread_t thread;
	_Atomic enum bus_state state; /* set by the thread only */

	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t wake;
	struct record *first, *last;
	size_t n_queued, queued_bytes;
	bool stopping;

	/* the thread's own */
	int64_t probe_at_ms;
	struct redis_word words[PIPELINE_MAX][3];
	struct redis_command commands[PIPELINE_MAX];
};

/* Tells what is known of Redis now; returns whether it is there. */
static bool
note_state(struct bus *bus)
{
	bool up = redis_state(bus->redis) == REDIS_UP;

	if (atomic_exchange(&bus->state, up ? BUS_UP : BUS_DOWN) != (up ? BUS_UP : BUS_DOWN))
		metrics_set(METRIC_BUS_UP, up);
	return up;
}

static void
probe(struct bus *bus)
{
	redis_probe(bus->redis);
	note_state(bus);
	bus->probe_at_ms = clock_monotonic_ms() + REDIS_PROBE_MS;
}

static void
drop_records(struct record *first)
{
	while (first) {
		struct record *next = first->next;
		free(first);
		first = next;
	}
}

/* Takes the records. */
static void
send_records(struct bus *bus, struct record *first, size_t n)
{
	size_t i = 0;

	for (const struct record *record = first; record; record = record->next, i++) {
		bus->words[i][0] = (struct redis_word){"PUBLISH", strlen("PUBLISH")};
		bus->words[i][1] = (struct redis_word){record->bytes, record->channel_len};
		bus->words[i][2] = (struct redis_word){record->bytes + record->channel_len, record->len};
		bus->commands[i] = (struct redis_command){.words = bus->words[i], .n_words = 3};
	}

	size_t n_answered = redis_run(bus->redis, bus->commands, n, NULL, NULL);

	drop_records(first);
	metrics_add(METRIC_BUS_PUBLISHED, (int64_t)n_answered);
	metrics_add(METRIC_BUS_DROPPED, (int64_t)(n - n_answered));
	if (!note_state(bus))
		bus->probe_at_ms = clock_monotonic_ms() + REDIS_PROBE_MS;
}

/* With the mutex held: takes at most `max` records off the queue. */
static struct record *
take_records(struct bus *bus, size_t max, size_t *ret_n)
{
	struct record *first = bus->first, *last = NULL;
	size_t n = 0;

	for (struct record *record = first; record && n < max; record = record->next) {
		bus->queued_bytes -= record->channel_len + record->len;
		last = record;
		n++;
	}
	if (last) {
		bus->first = last->next;
		last->next = NULL;
	}
	if (!bus->first)
		bus->last = NULL;
	bus->n_queued -= n;
	*ret_n = n;
	return first;
}

/* With the mutex held: waits for a record, the time of the next probe, or the end. */
static void
wait_for_work(struct bus *bus)
{
	const struct timespec until = {
		.tv_sec = bus->probe_at_ms / 1000,
		.tv_nsec = bus->probe_at_ms % 1000 * 1000000,
	};

	while (!bus->first && !bus->stopping)
		if (pthread_cond_timedwait(&bus->wake, &bus->mutex, &until) == ETIMEDOUT)
			return;
}

static void *
run(void *argument)
{
	struct bus *bus = argument;
	int64_t end_ms = 0; /* of the last sending; 0: not stopping */
	struct record *records;
	size_t n;

	for (;;) {
		if (clock_monotonic_ms() >= bus->probe_at_ms && !end_ms)
			probe(bus);
		pthread_mutex_lock(&bus->mutex);
		wait_for_work(bus);
		if (bus->stopping && !end_ms)
			end_ms = clock_monotonic_ms() + DRAIN_MS;
		bool ended = end_ms && (!bus->first || clock_monotonic_ms() >= end_ms);
		bool sends = !ended && atomic_load(&bus->state) == BUS_UP;
		records = take_records(bus, sends ? PIPELINE_MAX : SIZE_MAX, &n);
		pthread_mutex_unlock(&bus->mutex);

		if (sends && n) {
			send_records(bus, records, n);
		} else {
			drop_records(records);
			metrics_add(METRIC_BUS_DROPPED, (int64_t)n);
		}
		if (ended)
			return NULL;
	}
}

static void
free_bus(struct bus *bus)
{
	drop_records(bus->first);
	redis_destroy(bus->redis);
	pthread_cond_destroy(&bus->wake);
	pthread_mutex_destroy(&bus->mutex);
	free(bus);
}

enum status
bus_create(const char *redis_url, struct bus **ret_bus, struct fault *ret_fault)
{
	struct bus *bus = calloc(1, sizeof *bus);
	pthread_condattr_t attributes;

	if (!bus)
		abort();
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&bus->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_mutex_init(&bus->mutex, NULL);

	enum status status = redis_create(redis_url, &bus->redis, ret_fault);
	if (status != OK) {
		free_bus(bus);
		return status;
	}
	bus->thread = thread_start("bus", run, bus); /* blocks SIGPIPE, which redis.h asks for */
	*ret_bus = bus;
	return OK;
}

void
bus_destroy(struct bus *bus)
{
	if (!bus)
		return;
	pthread_mutex_lock(&bus->mutex);
	bus->stopping = true;
	pthread_cond_signal(&bus->wake);
	pthread_mutex_unlock(&bus->mutex);
	pthread_join(bus->thread, NULL);
	free_bus(bus);
}

static struct record *
make_record(const char *channel, const void *bytes, size_t len)
{
	size_t channel_len = strlen(channel);
	struct record *record = malloc(sizeof *record + channel_len + len);

	if (!record)
		abort();
	record->next = NULL;
	record->channel_len = channel_len;
	record->len = len;
	memcpy(record->bytes, channel, channel_len);
	memcpy(record->bytes + channel_len, bytes, len);
	return record;
}

bool
bus_publish(struct bus *bus, const char *channel, const void *bytes, size_t len)
{
	bool queued = false, was_empty = false;

	if (atomic_load(&bus->state) != BUS_DOWN) {
		struct record *record = make_record(channel, bytes, len);
		size_t size = record->channel_len + len;

		pthread_mutex_lock(&bus->mutex);
		queued = bus->n_queued < BUS_QUEUE_MAX && bus->queued_bytes + size <= QUEUE_BYTES_MAX;
		if (queued) {
			was_empty = !bus->first;
			if (bus->last)
				bus->last->next = record;
			else
				bus->first = record;
			bus->last = record;
			bus->n_queued++;
			bus->queued_bytes += size;
		}
		pthread_mutex_unlock(&bus->mutex);
		if (was_empty) /* else it is awake, or about to be */
			pthread_cond_signal(&bus->wake);
		if (!queued)
			free(record);
	}
	if (!queued)
		metrics_add(METRIC_BUS_DROPPED, 1);
	return queued;
}

bool
bus_is_up(const struct bus *bus)
{
	return atomic_load(&bus->state) == BUS_UP;
}
