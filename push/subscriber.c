/* hiredis on the loop. A subscribed hiredis 0.14 context must never carry another command, and is freed under us when the
 * connection ends: every use asks for the pointer first. One timer beats while the connection is up, and tries to make it while
 * it is not. */
#include "subscriber.h"

#include <assert.h>
#include <hiredis/adapters/libuv.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "backoff.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/id.h"
#include "log.h"
#include "redis_address.h"

struct subscriber {
	struct arena arena; /* the address */
	struct loop *loop;
	struct redis_address where;
	char address[NI_MAXHOST]; /* of the host, as last found; "": not yet */
	uv_getaddrinfo_t lookup;
	bool looking; /* `lookup` is under way */
	struct subscriber_events events;
	void *context;
	char heartbeat[ID_SIZE + 2];             /* n:<random> */
	redisAsyncContext *listening, *commands; /* NULL: not connected */
	uv_timer_t tick;
	int64_t heard_ms;    /* when a heartbeat came back */
	unsigned n_attempts; /* to connect, since it was up */
	bool refused;        /* said so since it was up */
	bool up, stopping;
};

static void on_message(redisAsyncContext *redis, void *reply, void *data);
static void on_tick(uv_timer_t *timer);

static void
try_later(struct subscriber *subscriber)
{
	uint32_t random = 0;

	uv_random(NULL, NULL, &random, sizeof random, 0, NULL); /* a failure leaves a zero, which is fine too */
	uv_timer_start(&subscriber->tick, on_tick, (uint64_t)backoff_ms(subscriber->n_attempts, random), 0);
}

static void
lost(struct subscriber *subscriber, const char *reason)
{
	redisAsyncContext *listening = subscriber->listening, *commands = subscriber->commands;
	bool was_up = subscriber->up;

	subscriber->listening = subscriber->commands = NULL;
	subscriber->up = false;
	if (listening)
		redisAsyncFree(listening);
	if (commands)
		redisAsyncFree(commands);
	if (!was_up || subscriber->stopping)
		return;
	try_later(subscriber);
	subscriber->events.down(subscriber->context, reason);
}

static void
on_disconnect(const redisAsyncContext *redis, int status)
{
	struct subscriber *subscriber = redis->data;

	(void)status;
	if (redis == subscriber->listening)
		subscriber->listening = NULL; /* hiredis frees it after this callback */
	else if (redis == subscriber->commands)
		subscriber->commands = NULL;
	else
		return; /* one that we are freeing ourselves */
	lost(subscriber, "redis closed the connection");
}

static void
on_connect(const redisAsyncContext *redis, int status)
{
	struct subscriber *subscriber = redis->data;

	if (status == REDIS_OK)
		return;
	if (redis == subscriber->listening)
		subscriber->listening = NULL;
	else if (redis == subscriber->commands)
		subscriber->commands = NULL;
}

/* A refusal is said once until Redis is up; what follows on that connection is refused too, so it never comes up. */
static void
on_logged_in(redisAsyncContext *redis, void *data, void *unused)
{
	struct subscriber *subscriber = redis->data;
	const redisReply *reply = data;

	(void)unused;
	if (!reply || reply->type != REDIS_REPLY_ERROR || subscriber->refused)
		return;
	subscriber->refused = true;
	log_warn("redis_refuses", LOG_S("error", reply->str));
}

/* Says the password where there is one, before anything else. */
static void
log_in(redisAsyncContext *redis, const struct redis_address *address)
{
	if (address->user)
		redisAsyncCommand(redis, on_logged_in, NULL, "AUTH %s %s", address->user, address->password);
	else if (address->password)
		redisAsyncCommand(redis, on_logged_in, NULL, "AUTH %s", address->password);
}

static redisAsyncContext *
open_connection(struct subscriber *subscriber)
{
	const struct redis_address *where = &subscriber->where;
	redisAsyncContext *redis =
		where->path ? redisAsyncConnectUnix(where->path) : redisAsyncConnect(subscriber->address, where->port);

	if (!redis || redis->err) {
		if (redis)
			redisAsyncFree(redis);
		return NULL;
	}
	redis->data = subscriber;
	if (redisLibuvAttach(redis, loop_uv(subscriber->loop)) != REDIS_OK) {
		redisAsyncFree(redis);
		return NULL;
	}
	redisAsyncSetConnectCallback(redis, on_connect);
	redisAsyncSetDisconnectCallback(redis, on_disconnect);
	log_in(redis, where);
	return redis;
}

static void connect_both(struct subscriber *subscriber);

/* Takes the first address of IPv4, else the first of all, as hiredis does with a name: a Redis is often there alone. */
static void
keep_address(struct subscriber *subscriber, const struct addrinfo *found)
{
	const struct addrinfo *chosen = found;

	assert(found); /* an answer has at least one */
	for (const struct addrinfo *one = found; one; one = one->ai_next) {
		if (one->ai_family == AF_INET) {
			chosen = one;
			break;
		}
	}
	if (getnameinfo(chosen->ai_addr, chosen->ai_addrlen, subscriber->address, sizeof subscriber->address, NULL, 0,
			NI_NUMERICHOST) != 0)
		subscriber->address[0] = '\0';
}

static void
on_found(uv_getaddrinfo_t *lookup, int status, struct addrinfo *found)
{
	struct subscriber *subscriber = lookup->data;

	subscriber->looking = false;
	if (status == 0)
		keep_address(subscriber, found);
	else
		log_debug("redis_host", LOG_S("host", subscriber->where.host), LOG_S("reason", uv_strerror(status)));
	uv_freeaddrinfo(found);
	if (status == 0 && !subscriber->listening && !subscriber->stopping)
		connect_both(subscriber);
}

/* hiredis would look the host up by itself and block the loop for as long as a name server is silent. Each attempt asks anew and
 * goes to the address found before, if there is one: what is found meanwhile is for the next attempt. */
static void
look_up(struct subscriber *subscriber)
{
	static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};

	if (subscriber->where.path || subscriber->looking)
		return;
	subscriber->lookup.data = subscriber;
	subscriber->looking = uv_getaddrinfo(loop_uv(subscriber->loop), &subscriber->lookup, on_found,
					     subscriber->where.host, NULL, &hints) == 0;
}

static void
connect_both(struct subscriber *subscriber)
{
	if (!subscriber->where.path && !subscriber->address[0])
		return; /* when it is found */
	subscriber->listening = open_connection(subscriber);
	subscriber->commands = subscriber->listening ? open_connection(subscriber) : NULL;
	if (!subscriber->commands) {
		lost(subscriber, "redis cannot be reached");
		return;
	}
	subscriber->heard_ms = clock_monotonic_ms();
	redisAsyncCommand(subscriber->listening, on_message, NULL, "SUBSCRIBE %s", subscriber->heartbeat);
}

static void
beat(struct subscriber *subscriber)
{
	redisAsyncCommand(subscriber->commands, NULL, NULL, "PUBLISH %s -", subscriber->heartbeat);
}

static void
on_tick(uv_timer_t *timer)
{
	struct subscriber *subscriber = timer->data;

	if (subscriber->listening && clock_monotonic_ms() - subscriber->heard_ms > SUBSCRIBER_SILENCE_MS)
		lost(subscriber, "redis does not answer");
	if (!subscriber->listening || !subscriber->commands) {
		lost(subscriber, "redis closed the connection");
		subscriber->n_attempts++;
		look_up(subscriber);
		connect_both(subscriber);
	} else {
		beat(subscriber);
	}
	if (subscriber->up)
		uv_timer_start(timer, on_tick, SUBSCRIBER_HEARTBEAT_MS, 0);
	else
		try_later(subscriber);
}

/* Up is what takes a record and gives it back: the confirmation of the subscription (`came_round` false) is not enough. */
static void
on_heartbeat(struct subscriber *subscriber, bool came_round)
{
	if (!came_round) {
		if (subscriber->commands)
			beat(subscriber);
		return;
	}
	subscriber->heard_ms = clock_monotonic_ms();
	if (subscriber->up)
		return;
	subscriber->up = true;
	subscriber->n_attempts = 0;
	subscriber->refused = false;
	uv_timer_start(&subscriber->tick, on_tick, SUBSCRIBER_HEARTBEAT_MS, 0); /* in place of the next attempt */
	subscriber->events.up(subscriber->context);
}

/* ["subscribe", channel, count] | ["unsubscribe", channel, count] | ["message", channel, bytes] */
static void
on_message(redisAsyncContext *redis, void *data, void *unused)
{
	struct subscriber *subscriber = redis->data;
	const redisReply *reply = data, *kind, *channel, *payload;

	(void)unused;
	if (!reply || redis != subscriber->listening || reply->type != REDIS_REPLY_ARRAY || reply->elements != 3)
		return;
	kind = reply->element[0];
	channel = reply->element[1];
	payload = reply->element[2];
	if (kind->type != REDIS_REPLY_STRING || channel->type != REDIS_REPLY_STRING)
		return;
	if (strcmp(channel->str, subscriber->heartbeat) == 0) {
		on_heartbeat(subscriber, strcmp(kind->str, "message") == 0);
	} else if (strcmp(kind->str, "message") == 0 && payload->type == REDIS_REPLY_STRING) {
		subscriber->events.record(subscriber->context, channel->str, payload->str, payload->len);
	} else if (strcmp(kind->str, "subscribe") == 0) {
		subscriber->events.confirmed(subscriber->context, channel->str);
	}
}

enum status
subscriber_create(struct loop *loop, const char *redis_url, const struct subscriber_events *events, void *context,
		  struct subscriber **ret_subscriber, struct fault *ret_fault)
{
	struct subscriber *subscriber = calloc(1, sizeof *subscriber);
	enum status status;

	if (!subscriber)
		abort();
	status = redis_address_parse(redis_url, &subscriber->arena, &subscriber->where, ret_fault);
	if (status != OK) {
		arena_finish(&subscriber->arena);
		free(subscriber);
		return status;
	}
	subscriber->loop = loop;
	subscriber->events = *events;
	subscriber->context = context;
	memcpy(subscriber->heartbeat, "n:", 2);
	id_make(subscriber->heartbeat + 2);
	uv_timer_init(loop_uv(loop), &subscriber->tick);
	subscriber->tick.data = subscriber;
	uv_timer_start(&subscriber->tick, on_tick, 0, 0);
	*ret_subscriber = subscriber;
	return OK;
}

void
subscriber_stop(struct subscriber *subscriber)
{
	subscriber->stopping = true;
	if (subscriber->looking)
		uv_cancel((uv_req_t *)&subscriber->lookup); /* one that has begun is waited for when the loop ends */
	lost(subscriber, "stopping");
	uv_close((uv_handle_t *)&subscriber->tick, NULL);
}

void
subscriber_destroy(struct subscriber *subscriber)
{
	if (!subscriber)
		return;
	arena_finish(&subscriber->arena);
	free(subscriber);
}

void
subscriber_add(struct subscriber *subscriber, const char *const *channels, size_t n_channels)
{
	const char *arguments[SUBSCRIBER_BATCH + 1] = {"SUBSCRIBE"};

	while (subscriber->up && n_channels > 0) {
		size_t n = n_channels < SUBSCRIBER_BATCH ? n_channels : SUBSCRIBER_BATCH;

		memcpy(arguments + 1, channels, n * sizeof *channels);
		redisAsyncCommandArgv(subscriber->listening, on_message, NULL, (int)n + 1, arguments, NULL);
		channels += n;
		n_channels -= n;
	}
}

void
subscriber_remove(struct subscriber *subscriber, const char *channel)
{
	if (subscriber->up)
		redisAsyncCommand(subscriber->listening, NULL, NULL, "UNSUBSCRIBE %s", channel);
}

/* Commands. */

enum { ARGUMENTS_MAX = 1024 };

struct command {
	struct subscriber_script *script; /* NULL: a plain command */
	subscriber_done *done;
	void *context;
};

/* A script that Redis has lost (SCRIPT FLUSH) is sent whole the next time; this call is one without an answer. */
static void
on_answer(redisAsyncContext *redis, void *data, void *privdata)
{
	struct command *command = privdata;
	const redisReply *reply = data;
	const char *text = NULL;

	(void)redis;
	if (reply && (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS))
		text = reply->str;
	else if (reply && reply->type == REDIS_REPLY_ERROR && command->script)
		command->script->sha[0] = '\0';
	if (reply && reply->type == REDIS_REPLY_ERROR)
		log_warn("redis_refused", LOG_S("reason", reply->str));
	command->done(command->context, text);
	free(command);
}

static void
on_loaded(redisAsyncContext *redis, void *data, void *privdata)
{
	struct subscriber_script *script = privdata;
	const redisReply *reply = data;

	(void)redis;
	if (reply && reply->type == REDIS_REPLY_STRING && reply->len == sizeof script->sha - 1)
		memcpy(script->sha, reply->str, sizeof script->sha);
}

static bool
submit(struct subscriber *subscriber, const char *const *words, size_t n, const struct command *command)
{
	struct command *copy;

	if (!subscriber->up || !subscriber->commands)
		return false;
	copy = malloc(sizeof *copy);
	if (!copy)
		abort();
	*copy = *command;
	if (redisAsyncCommandArgv(subscriber->commands, on_answer, copy, (int)n, (const char **)words, NULL) ==
	    REDIS_OK)
		return true;
	free(copy);
	return false;
}

bool
subscriber_is_up(const struct subscriber *subscriber)
{
	return subscriber->up;
}

bool
subscriber_command(struct subscriber *subscriber, const char *const *words, size_t n, subscriber_done *done,
		   void *context)
{
	return submit(subscriber, words, n, &(struct command){NULL, done, context});
}

bool
subscriber_eval(struct subscriber *subscriber, struct subscriber_script *script, const char *const *arguments, size_t n,
		subscriber_done *done, void *context)
{
	const char *words[ARGUMENTS_MAX + 3] = {"EVALSHA", script->sha, "0"};

	assert(n <= ARGUMENTS_MAX);
	if (!subscriber->up || !subscriber->commands)
		return false;
	if (!script->sha[0]) {
		words[0] = "EVAL";
		words[1] = script->text;
		redisAsyncCommand(subscriber->commands, on_loaded, script, "SCRIPT LOAD %s", script->text);
	}
	memcpy(words + 3, arguments, n * sizeof *arguments);
	return submit(subscriber, words, n + 3, &(struct command){script, done, context});
}
