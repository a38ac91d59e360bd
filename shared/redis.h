/* One blocking connection to Redis with a breaker: who asks loses at most a timeout, and then nothing until a probe, one each
 * second, has been answered. All users of Redis but push's event loop (push/subscriber.c) talk through this. */
#ifndef REDIS_H
#define REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

enum { REDIS_TIMEOUT_MS = 50, REDIS_PROBE_MS = 1000 };

/* All functions may be called from any thread that blocks SIGPIPE (base/thread.h does; hiredis writes without
 * MSG_NOSIGNAL): the connection is used by one at a time. */
struct redis;

enum redis_state {
	REDIS_UNKNOWN, /* not asked yet */
	REDIS_UP,
	REDIS_DOWN, /* the breaker is open */
};

/* One word of a command; any bytes. */
struct redis_word {
	const char *bytes;
	size_t len;
};

/* A command, or with `script` (Lua, a literal) that script: its words are then the number of keys, the keys, the arguments.
 * A script is sent once per connection and named by its hash from then on, also when Redis has forgotten it. */
struct redis_command {
	const char *script;
	const struct redis_word *words;
	size_t n_words; /* at most REDIS_WORDS_MAX */
};

enum { REDIS_WORDS_MAX = 64, REDIS_SCRIPTS_MAX = 4 /* per connection */ };

enum redis_kind {
	REPLY_NIL,
	REPLY_INTEGER,
	REPLY_TEXT, /* also a status such as OK */
	REPLY_LIST,
};

struct redis_reply {
	enum redis_kind kind;
	long long integer;
	const char *bytes; /* REPLY_TEXT: NUL-terminated */
	size_t len;
	const struct redis_reply *items; /* REPLY_LIST */
	size_t n_items;
};

/* Connects when it is first used. `redis_url`: redis_address.h; ERR_INVALID when it has another form. A Redis that refuses
 * the password is one that is down; the log says what it said. */
MUST_USE enum status redis_create(const char *redis_url, struct redis **ret_redis, struct fault *ret_fault);
void redis_destroy(struct redis *redis);

/* Sends the commands as one pipeline and reads the replies into the arena, which may be NULL when texts and lists don't matter
 * (`ret_replies` may be NULL when none does). Returns how many were answered: fewer than `n` means that Redis is down or
 * refuses (any error it answers counts), and that the breaker has opened; the rest may have been executed all the same. With the breaker open, 0 at once,
 * unless a probe is due. */
size_t redis_run(struct redis *redis, const struct redis_command *commands, size_t n, struct arena *arena,
		 struct redis_reply *ret_replies);

/* Asks whether Redis is there, whatever the breaker says: for a thread that has nothing else to do. A connection that was
 * lost while nothing happened is made again at once. */
bool redis_probe(struct redis *redis);

/* What the last use found. */
enum redis_state redis_state(const struct redis *redis);

#endif
