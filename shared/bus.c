/* Publishing to Redis (hiredis, blocking, on a thread of its own).
 *
 * The thread takes what has queued, sends it as one pipeline and reads the replies. The first failure opens the breaker:
 * what waits is dropped, and so is everything until a probe, one each second, has been answered. The probe also runs while
 * nothing is published, so that an idle process knows whether Redis is there. */
#include "bus.h"

#include <assert.h>
#include <errno.h>
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/thread.h"
#include "log.h"
#include "metrics.h"

enum {
	PIPELINE_MAX = 512,                 /* records in one pipeline: a few milliseconds of Redis' time */
	QUEUE_BYTES_MAX = 64 * 1024 * 1024, /* a Redis that is slow, not down, must not take the memory */
	DRAIN_MS = 200,
	REDIS_PORT = 6379,
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
	struct arena arena; /* the address */
	const char *path;   /* of a unix socket, or NULL: */
	const char *host;
	int port;

	pthread_t thread;
	_Atomic enum bus_state state; /* set by the thread only */

	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t wake;
	struct record *first, *last;
	size_t n_queued, queued_bytes;
	bool stopping;

	/* the thread's own */
	redisContext *redis; /* NULL: not connected */
	int64_t probe_at_ms;
};

static void
set_state(struct bus *bus, enum bus_state state)
{
	enum bus_state before = atomic_exchange(&bus->state, state);

	if (before != state) {
		metrics_set(METRIC_BUS_UP, state == BUS_UP);
		log_debug("bus_state", LOG_S("state", state == BUS_UP ? "up" : "down"));
	}
}

static void
disconnect(struct bus *bus)
{
	if (bus->redis)
		redisFree(bus->redis);
	bus->redis = NULL;
}

static bool
connect_to_redis(struct bus *bus)
{
	const struct timeval timeout = {.tv_usec = BUS_TIMEOUT_MS * 1000L};

	disconnect(bus);
	bus->redis = bus->path ? redisConnectUnixWithTimeout(bus->path, timeout)
			       : redisConnectWithTimeout(bus->host, bus->port, timeout);
	if (bus->redis && !bus->redis->err && redisSetTimeout(bus->redis, timeout) == REDIS_OK)
		return true;
	disconnect(bus);
	return false;
}

/* Reads one reply; an error that Redis answers (loading, no permission) counts as a failure too. */
static bool
read_reply(struct bus *bus)
{
	void *reply = NULL;

	if (redisGetReply(bus->redis, &reply) != REDIS_OK || !reply)
		return false;

	bool fine = ((redisReply *)reply)->type != REDIS_REPLY_ERROR;
	freeReplyObject(reply);
	return fine;
}

static bool
ping(struct bus *bus)
{
	return bus->redis && redisAppendCommand(bus->redis, "PING") == REDIS_OK && read_reply(bus);
}

/* Is Redis there? A connection that was lost while nothing happened is made again at once. */
static void
probe(struct bus *bus)
{
	bool up = ping(bus) || (connect_to_redis(bus) && ping(bus));

	if (!up)
		disconnect(bus);
	set_state(bus, up ? BUS_UP : BUS_DOWN);
	bus->probe_at_ms = clock_monotonic_ms() + BUS_PROBE_MS;
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
	bool fine = true;
	size_t n_answered = 0;

	for (const struct record *record = first; record && fine; record = record->next) {
		const char *words[] = {"PUBLISH", record->bytes, record->bytes + record->channel_len};
		size_t lens[] = {strlen("PUBLISH"), record->channel_len, record->len};

		fine = redisAppendCommandArgv(bus->redis, 3, words, lens) == REDIS_OK;
	}
	while (fine && n_answered < n) {
		fine = read_reply(bus);
		n_answered += fine;
	}
	drop_records(first);
	metrics_add(METRIC_BUS_PUBLISHED, (int64_t)n_answered);
	metrics_add(METRIC_BUS_DROPPED, (int64_t)(n - n_answered));
	if (fine)
		return;
	disconnect(bus);
	set_state(bus, BUS_DOWN);
	bus->probe_at_ms = clock_monotonic_ms() + BUS_PROBE_MS;
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
		bool sends = !ended && bus->redis;
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
	disconnect(bus);
	pthread_cond_destroy(&bus->wake);
	pthread_mutex_destroy(&bus->mutex);
	arena_finish(&bus->arena);
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

	enum status status = bus_parse_url(redis_url, &bus->arena, &bus->path, &bus->host, &bus->port, ret_fault);
	if (status != OK) {
		free_bus(bus);
		return status;
	}
	bus->thread = thread_start("bus", run, bus); /* blocks SIGPIPE: hiredis writes without MSG_NOSIGNAL */
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

static enum status
refuse_url(struct fault *ret_fault, const char *redis_url, const char *problem)
{
	return fault_set(ret_fault, ERR_INVALID, "redis_url_invalid", "redis.url",
			 "redis.url is unix:<path> or redis://<host>:<port>; \"%s\" %s.", redis_url, problem);
}

enum status
bus_parse_url(const char *redis_url, struct arena *arena, const char **ret_path, const char **ret_host, int *ret_port,
	      struct fault *ret_fault)
{
	static const char unix_scheme[] = "unix:", tcp_scheme[] = "redis://";
	long long port = REDIS_PORT;

	if (strncmp(redis_url, unix_scheme, strlen(unix_scheme)) == 0) {
		const char *path = redis_url + strlen(unix_scheme);

		if (!*path)
			return refuse_url(ret_fault, redis_url, "has no path");
		if (strlen(path) >= sizeof((struct sockaddr_un *)NULL)->sun_path) /* hiredis would cut it */
			return refuse_url(ret_fault, redis_url, "has a path that is too long for a socket");
		*ret_path = arena_strdup(arena, path);
		*ret_host = NULL;
		*ret_port = 0;
		return OK;
	}
	if (strncmp(redis_url, tcp_scheme, strlen(tcp_scheme)) != 0)
		return refuse_url(ret_fault, redis_url, "is neither");

	const char *host = redis_url + strlen(tcp_scheme), *end = host + strcspn(host, ":/@?");
	if (*end && *end != ':')
		return refuse_url(ret_fault, redis_url, "has more than a host and a port");
	if (end == host)
		return refuse_url(ret_fault, redis_url, "has no host");
	if (*end && (!text_to_int64(end + 1, &port) || port < 1 || port > 65535))
		return refuse_url(ret_fault, redis_url, "has a port that is not 1 to 65535");
	*ret_path = NULL;
	*ret_host = arena_memdup(arena, host, (size_t)(end - host));
	*ret_port = (int)port;
	return OK;
}
