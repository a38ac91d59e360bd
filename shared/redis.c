/* hiredis, blocking. Every failure closes the connection: after a timeout the replies that are still under way would be taken
 * for those of the next commands. */
#include "redis.h"

#include <assert.h>
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "log.h"
#include "redis_address.h"

enum { SHA_LEN = 40 };

struct loaded_script {
	const char *text; /* NULL: free */
	char sha[SHA_LEN];
};

struct redis {
	struct arena arena; /* the address */
	struct redis_address address;
	_Atomic enum redis_state state; /* changed with the mutex held */

	pthread_mutex_t mutex; /* guards what follows */
	redisContext *context; /* NULL: not connected */
	int64_t probe_at_ms;   /* while it is down: when it is tried again */
	bool refused;          /* said so since it was up */
	struct loaded_script scripts[REDIS_SCRIPTS_MAX];
};

static void
disconnect(struct redis *redis)
{
	if (redis->context)
		redisFree(redis->context);
	redis->context = NULL;
}

/* The next reply, or NULL when there is none; to be freed. */
static redisReply *
read_raw(struct redis *redis)
{
	void *reply = NULL;

	return redisGetReply(redis->context, &reply) == REDIS_OK ? reply : NULL;
}

/* Whether the reply is there and no error; an error is said, once until Redis is up again: nobody sees it otherwise. */
static bool
is_granted(struct redis *redis, const redisReply *reply)
{
	bool refused = reply && reply->type == REDIS_REPLY_ERROR;

	if (refused && !redis->refused)
		log_warn("redis_refuses", LOG_S("error", reply->str));
	redis->refused |= refused;
	return reply && !refused;
}

/* Says the password where there is one. */
static bool
log_in(struct redis *redis)
{
	const struct redis_address *address = &redis->address;
	const char *words[] = {"AUTH", address->user, address->password};
	int n = 3;

	if (!address->password)
		return true;
	if (!address->user)
		words[--n - 1] = address->password;
	if (redisAppendCommandArgv(redis->context, n, words, NULL) != REDIS_OK)
		return false;

	redisReply *reply = read_raw(redis);
	bool granted = is_granted(redis, reply);
	freeReplyObject(reply);
	return granted;
}

static bool
connect_to_redis(struct redis *redis)
{
	const struct redis_address *address = &redis->address;
	const struct timeval timeout = {.tv_usec = REDIS_TIMEOUT_MS * 1000L};

	disconnect(redis);
	memset(redis->scripts, 0, sizeof redis->scripts);
	redis->context = address->path ? redisConnectUnixWithTimeout(address->path, timeout)
				       : redisConnectWithTimeout(address->host, address->port, timeout);
	if (redis->context && !redis->context->err && redisSetTimeout(redis->context, timeout) == REDIS_OK &&
	    log_in(redis))
		return true;
	disconnect(redis);
	return false;
}

/* Notes what a use has found; returns `up`. */
static bool
settle(struct redis *redis, bool up)
{
	enum redis_state state = up ? REDIS_UP : REDIS_DOWN;

	if (!up) {
		disconnect(redis);
		redis->probe_at_ms = clock_monotonic_ms() + REDIS_PROBE_MS;
	} else {
		redis->refused = false;
	}
	if (atomic_exchange(&redis->state, state) != state)
		log_debug("redis_state", LOG_S("state", up ? "up" : "down"));
	return up;
}

static bool
ping(struct redis *redis)
{
	redisReply *reply = NULL;

	if (redis->context && redisAppendCommand(redis->context, "PING") == REDIS_OK)
		reply = read_raw(redis);

	bool fine = is_granted(redis, reply);
	freeReplyObject(reply);
	return fine;
}

static void
convert(const redisReply *raw, struct arena *arena, struct redis_reply *ret_reply)
{
	*ret_reply = (struct redis_reply){.kind = REPLY_NIL};
	if (raw->type == REDIS_REPLY_INTEGER) {
		ret_reply->kind = REPLY_INTEGER;
		ret_reply->integer = raw->integer;
	} else if (raw->type == REDIS_REPLY_STRING || raw->type == REDIS_REPLY_STATUS) {
		ret_reply->kind = REPLY_TEXT;
		ret_reply->bytes = arena ? arena_memdup(arena, raw->str, raw->len) : NULL;
		ret_reply->len = arena ? raw->len : 0;
	} else if (raw->type == REDIS_REPLY_ARRAY) {
		struct redis_reply *items = arena ? arena_alloc(arena, (raw->elements + 1) * sizeof *items) : NULL;

		ret_reply->kind = REPLY_LIST;
		for (size_t i = 0; arena && i < raw->elements; i++)
			convert(raw->element[i], arena, &items[i]);
		ret_reply->items = items;
		ret_reply->n_items = arena ? raw->elements : 0;
	}
}

static bool
append(struct redis *redis, const struct redis_word *head, size_t n_head, const struct redis_command *command)
{
	const char *words[REDIS_WORDS_MAX + 2];
	size_t lens[REDIS_WORDS_MAX + 2];
	size_t n = 0;

	assert(n_head <= 2 && command->n_words <= REDIS_WORDS_MAX);
	for (size_t i = 0; i < n_head; i++, n++) {
		words[n] = head[i].bytes;
		lens[n] = head[i].len;
	}
	for (size_t i = 0; i < command->n_words; i++, n++) {
		words[n] = command->words[i].bytes;
		lens[n] = command->words[i].len;
	}
	return redisAppendCommandArgv(redis->context, (int)n, words, lens) == REDIS_OK;
}

/* The script as this connection knows it; loads it when it doesn't. Nothing else may be under way. */
static const struct loaded_script *
load_script(struct redis *redis, const char *text)
{
	struct loaded_script *free_one = NULL;

	for (size_t i = 0; i < REDIS_SCRIPTS_MAX; i++) {
		if (redis->scripts[i].text == text)
			return &redis->scripts[i];
		if (!redis->scripts[i].text && !free_one)
			free_one = &redis->scripts[i];
	}
	assert(free_one);
	if (redisAppendCommand(redis->context, "SCRIPT LOAD %s", text) != REDIS_OK)
		return NULL;

	redisReply *reply = read_raw(redis);
	bool fine = reply && reply->type == REDIS_REPLY_STRING && reply->len == SHA_LEN;

	if (fine) {
		free_one->text = text;
		memcpy(free_one->sha, reply->str, SHA_LEN);
	}
	freeReplyObject(reply);
	return fine ? free_one : NULL;
}

static bool
send_all(struct redis *redis, const struct redis_command *commands, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (commands[i].script && !load_script(redis, commands[i].script))
			return false;
	for (size_t i = 0; i < n; i++) {
		struct redis_word head[2] = {{"EVALSHA", strlen("EVALSHA")}};
		size_t n_head = 0;

		if (commands[i].script) {
			head[1] = (struct redis_word){load_script(redis, commands[i].script)->sha, SHA_LEN};
			n_head = 2;
		}
		if (!append(redis, head, n_head, &commands[i]))
			return false;
	}
	return true;
}

/* Sends the whole text of the scripts that Redis had forgotten, which also makes it remember them. */
static bool
run_forgotten(struct redis *redis, const struct redis_command *command, struct arena *arena,
	      struct redis_reply *ret_reply)
{
	const struct redis_word head[2] = {{"EVAL", strlen("EVAL")}, {command->script, strlen(command->script)}};
	redisReply *raw = append(redis, head, 2, command) ? read_raw(redis) : NULL;
	bool fine = raw && raw->type != REDIS_REPLY_ERROR;

	if (fine && ret_reply)
		convert(raw, arena, ret_reply);
	freeReplyObject(raw);
	return fine;
}

/* Reads the replies; marks in `forgotten` those whose script Redis doesn't know. Returns how many came. */
static size_t
read_all(struct redis *redis, size_t n, bool *ret_forgotten, struct arena *arena, struct redis_reply *ret_replies)
{
	for (size_t i = 0; i < n; i++) {
		redisReply *raw = read_raw(redis);
		bool is_error = raw && raw->type == REDIS_REPLY_ERROR;

		ret_forgotten[i] = is_error && strncmp(raw->str, "NOSCRIPT", strlen("NOSCRIPT")) == 0;
		if (raw && !is_error && ret_replies)
			convert(raw, arena, &ret_replies[i]);
		freeReplyObject(raw);
		if (!raw || (is_error && !ret_forgotten[i]))
			return i;
	}
	return n;
}

static size_t
run_connected(struct redis *redis, const struct redis_command *commands, size_t n, struct arena *arena,
	      struct redis_reply *ret_replies)
{
	bool *forgotten = calloc(n, sizeof *forgotten);
	size_t n_answered = 0;

	if (!forgotten)
		abort();
	if (send_all(redis, commands, n))
		n_answered = read_all(redis, n, forgotten, arena, ret_replies);
	for (size_t i = 0; n_answered == n && i < n; i++)
		if (forgotten[i] && !run_forgotten(redis, &commands[i], arena, ret_replies ? &ret_replies[i] : NULL))
			n_answered = i;
	free(forgotten);
	return n_answered;
}

size_t
redis_run(struct redis *redis, const struct redis_command *commands, size_t n, struct arena *arena,
	  struct redis_reply *ret_replies)
{
	size_t n_answered = 0;

	if (n == 0)
		return 0;
	pthread_mutex_lock(&redis->mutex);
	bool may_try = atomic_load(&redis->state) != REDIS_DOWN || clock_monotonic_ms() >= redis->probe_at_ms;

	if (may_try) {
		if (redis->context || connect_to_redis(redis))
			n_answered = run_connected(redis, commands, n, arena, ret_replies);
		settle(redis, n_answered == n);
	}
	pthread_mutex_unlock(&redis->mutex);
	return n_answered;
}

bool
redis_probe(struct redis *redis)
{
	pthread_mutex_lock(&redis->mutex);
	bool up = settle(redis, ping(redis) || (connect_to_redis(redis) && ping(redis)));
	pthread_mutex_unlock(&redis->mutex);
	return up;
}

enum redis_state
redis_state(const struct redis *redis)
{
	return atomic_load(&redis->state);
}

enum status
redis_create(const char *redis_url, struct redis **ret_redis, struct fault *ret_fault)
{
	struct redis *redis = calloc(1, sizeof *redis);

	if (!redis)
		abort();
	pthread_mutex_init(&redis->mutex, NULL);

	enum status status = redis_address_parse(redis_url, &redis->arena, &redis->address, ret_fault);
	if (status != OK) {
		redis_destroy(redis);
		return status;
	}
	*ret_redis = redis;
	return OK;
}

void
redis_destroy(struct redis *redis)
{
	if (!redis)
		return;
	disconnect(redis);
	pthread_mutex_destroy(&redis->mutex);
	arena_finish(&redis->arena);
	free(redis);
}
