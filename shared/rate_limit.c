/* One table of keys under one mutex: a look-up is a fraction of a microsecond, and the thread that shares holds it only to copy.
 * What a key has used since it was last shared waits in its entry, so a flood costs Redis one script per key and round. */
#include "rate_limit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <utlist.h>

#include "base/clock.h"
#include "base/thread.h"
#include "config.h"
#include "metrics.h"
#include "rate_limit_table.h"
#include "redis.h"

enum {
	ROUND_MAX = 128,    /* keys shared at once */
	ROUND_PAUSE_MS = 2, /* between two rounds, so that they gather */
	LOOKED_AT = 4,      /* old entries looked at when one is added: more go than come */
};

/* Adds what was used to the arrival time, by Redis' own clock, and answers how far it lies ahead: the processes' clocks need not
 * agree. */
static const char cost_script[] =
	"local t = redis.call('TIME')\n"
	"local now = t[1] * 1000000 + t[2]\n"
	"local tat = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now) + tonumber(ARGV[1])\n"
	"redis.call('SET', KEYS[1], string.format('%.0f', tat), 'PX', string.format('%.0f', (tat - now) / 1000 + 1))\n"
	"return tat - now\n";
/* ARGV: how many more, how long they are kept, whether one has just been wrong (1), whether all before is forgiven (1). Answers the
 * count, and in the bits above it how often it was forgiven: who sees that change forgets what it knew. */
static const char failure_script[] =
	"if ARGV[4] == '1' then redis.call('HSET', KEYS[1], 'n', 0) redis.call('HINCRBY', KEYS[1], 'forgiven', 1) end\n"
	"local n = redis.call('HINCRBY', KEYS[1], 'n', ARGV[1])\n"
	"local forgiven = tonumber(redis.call('HGET', KEYS[1], 'forgiven') or '0')\n"
	"if n < 0 then n = 0 redis.call('HSET', KEYS[1], 'n', 0) end\n"
	"if n == 0 and forgiven == 0 then redis.call('DEL', KEYS[1]) return 0 end\n"
	"if ARGV[3] == '1' or ARGV[4] == '1' or redis.call('PTTL', KEYS[1]) < 0 then\n"
	"  redis.call('PEXPIRE', KEYS[1], ARGV[2])\n"
	"end\n"
	"return forgiven % 65536 * 65536 + math.min(n, 65535)\n";

/* Of the two kinds of keys in Redis, which hold different things. */
#define PREFIX_LEN (sizeof "rate:" - 1)

/* What is being told to Redis about an entry. */
struct share {
	struct redis_word words[6];
	int64_t count;
	char key[RATE_KEY_SIZE + 5];
	char amount[24], kept_ms[16];
	bool is_failures, forgiven, renewed;
};

struct round {
	size_t n;
	struct share shares[ROUND_MAX];
	struct redis_command commands[ROUND_MAX];
	struct redis_reply replies[ROUND_MAX];
};

struct rate_limits
rate_limit_settings(const struct config *config)
{
	return (struct rate_limits){
		.rules[RATE_CLASS_GENERAL] = {config->limits_general_per_minute, config->limits_general_burst},
		.rules[RATE_CLASS_SEND] = {config->limits_send_per_minute, config->limits_send_burst},
		.rules[RATE_CLASS_SEARCH] = {config->limits_search_per_minute, config->limits_search_burst},
		.rules[RATE_CLASS_SIGN_UP] = {config->limits_sign_up_per_minute, config->limits_sign_up_burst},
		.rules[RATE_CLASS_LOG_IN] = {config->limits_log_in_per_minute, config->limits_log_in_burst},
		.delay_max_ms = config->limits_log_in_delay_max_s * 1000,
	};
}

void
rate_limit_gcra(const struct rate_rule *rule, int64_t now_us, int64_t *tat_us, struct rate_answer *ret_answer)
{
	int64_t interval_us = 60 * 1000000 / rule->per_minute;
	int64_t window_us = interval_us * rule->burst;
	int64_t from_us = *tat_us > now_us ? *tat_us : now_us;
	bool allowed = from_us + interval_us - now_us <= window_us;

	if (allowed)
		*tat_us = from_us += interval_us;
	*ret_answer = (struct rate_answer){
		.allowed = allowed,
		.limit = rule->burst,
		.remaining = from_us - now_us < window_us ? (window_us - (from_us - now_us)) / interval_us : 0,
		.reset_ms = (from_us - now_us + 999) / 1000,
		.retry_after_ms = allowed ? 0 : (from_us + interval_us - now_us - window_us + 999) / 1000,
	};
}

static void
unlist(struct rate_limiter *limiter, struct entry *entry)
{
	if (entry->list != RATE_LIST_NONE)
		DL_DELETE(limiter->lists[entry->list], entry);
	entry->list = RATE_LIST_NONE;
}

static void
enlist(struct rate_limiter *limiter, struct entry *entry, enum rate_list list)
{
	unlist(limiter, entry);
	entry->list = list;
	DL_APPEND(limiter->lists[list], entry);
}

static void
drop(struct rate_limiter *limiter, struct entry *entry)
{
	unlist(limiter, entry);
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the analyzer takes the new head for the freed entry */
	HASH_DEL(limiter->entries, entry);
	free(entry);
}

/* Drops what says nothing any more among the oldest. At the cap the one that would be free soonest of them goes: whoever has it gets
 * a fresh burst, which an attacker with so many addresses has anyway. */
static void
make_room(struct rate_limiter *limiter, int64_t now_us)
{
	struct entry *soonest = NULL;

	for (int i = 0; i < LOOKED_AT && limiter->entries; i++) {
		struct entry *oldest = limiter->entries;

		if (oldest->kept_us <= now_us && oldest->list == RATE_LIST_NONE && oldest->n_under_way == 0) {
			drop(limiter, oldest);
			continue;
		}
		HASH_DEL(limiter->entries, oldest);
		HASH_ADD_STR(limiter->entries, key, oldest);
		if (oldest->n_under_way == 0 && (!soonest || oldest->kept_us < soonest->kept_us))
			soonest = oldest;
	}
	if (soonest && HASH_COUNT(limiter->entries) >= RATE_LIMIT_ENTRIES_MAX)
		drop(limiter, soonest);
}

static void
make_key(int class, const char *key, char ret_key[RATE_KEY_SIZE])
{
	snprintf(ret_key, RATE_KEY_SIZE, "%d:%.*s", class, RATE_LIMIT_KEY_MAX, key);
}

struct entry *
rate_limit_find(struct rate_limiter *limiter, int class, const char *key, bool make, int64_t now_us)
{
	char whole[RATE_KEY_SIZE];
	struct entry *entry;

	make_key(class, key, whole);
	HASH_FIND_STR(limiter->entries, whole, entry);
	if (entry || !make)
		return entry;
	make_room(limiter, now_us);
	entry = calloc(1, sizeof *entry);
	if (!entry)
		abort();
	memcpy(entry->key, whole, RATE_KEY_SIZE);
	entry->is_failures = class >= RATE_FAILURES_CLASS;
	if (entry->is_failures)
		entry->whose = (enum rate_failures)(class - RATE_FAILURES_CLASS);
	HASH_ADD_STR(limiter->entries, key, entry);
	metrics_set(METRIC_RATE_KEYS, (int64_t)HASH_COUNT(limiter->entries));
	return entry;
}

void
rate_limit_mark(struct rate_limiter *limiter, struct entry *entry, int64_t amount)
{
	if (!limiter->redis)
		return;
	entry->unshared += amount;
	if (entry->list != RATE_LIST_NONE)
		return;
	if (!limiter->lists[RATE_LIST_DIRTY])
		pthread_cond_signal(&limiter->wake);
	enlist(limiter, entry, RATE_LIST_DIRTY);
}

void
rate_limit_take(struct rate_limiter *limiter, enum rate_class class, const char *key, struct rate_answer *ret_answer)
{
	const struct rate_rule *rule = limiter ? &limiter->limits.rules[class] : NULL;
	int64_t now_us = clock_monotonic_us();

	if (!rule || rule->per_minute == 0) {
		*ret_answer = (struct rate_answer){.allowed = true};
		return;
	}
	pthread_mutex_lock(&limiter->mutex);
	struct entry *entry = rate_limit_find(limiter, (int)class, key, true, now_us);

	rate_limit_gcra(rule, now_us, &entry->until_us, ret_answer);
	entry->kept_us = entry->until_us;
	if (ret_answer->allowed)
		rate_limit_mark(limiter, entry, 60 * 1000000 / rule->per_minute);
	pthread_mutex_unlock(&limiter->mutex);
	if (!ret_answer->allowed)
		metrics_add(METRIC_RATE_REFUSED, 1);
}

enum status
rate_limit_refusal(const struct rate_answer *answer, struct fault *ret_fault)
{
	if (answer->allowed)
		return OK;
	fault_fill(ret_fault, ERR_RATE_LIMITED, "rate_limited", NULL,
		   "Too many in a short time: wait for %lld ms, then send it again.",
		   (long long)answer->retry_after_ms);
	ret_fault->retry_after_ms = answer->retry_after_ms;
	return ERR_RATE_LIMITED;
}

/* The thread. */

static struct redis_word
word(const char *text)
{
	return (struct redis_word){text, strlen(text)};
}

static struct redis_command
to_command(struct share *share)
{
	share->words[0] = word("1");
	share->words[1] = word(share->key);
	share->words[2] = word(share->amount);
	if (!share->is_failures)
		return (struct redis_command){cost_script, share->words, 3};
	snprintf(share->kept_ms, sizeof share->kept_ms, "%d", RATE_LIMIT_FAILURES_KEPT_MS);
	share->words[3] = word(share->kept_ms);
	share->words[4] = word(share->renewed ? "1" : "0");
	share->words[5] = word(share->forgiven ? "1" : "0");
	return (struct redis_command){failure_script, share->words, 6};
}

/* With the mutex held: moves what there is to tell about an entry into the share. */
static void
take_share(struct entry *entry, struct share *ret_share)
{
	snprintf(ret_share->key, sizeof ret_share->key, entry->is_failures ? "miss:%s" : "rate:%s", entry->key);
	ret_share->count = entry->unshared;
	snprintf(ret_share->amount, sizeof ret_share->amount, "%lld", (long long)entry->unshared);
	ret_share->is_failures = entry->is_failures;
	ret_share->forgiven = entry->forgiven;
	ret_share->renewed = entry->renewed;
	entry->unshared = 0;
	entry->forgiven = entry->renewed = false;
}

/* With the mutex held: fills up the round from the list. */
static void
take_from(struct rate_limiter *limiter, enum rate_list list, struct round *round)
{
	while (limiter->lists[list] && round->n < ROUND_MAX) {
		struct entry *entry = limiter->lists[list];
		struct share *share = &round->shares[round->n];

		unlist(limiter, entry);
		take_share(entry, share);
		round->commands[round->n++] = to_command(share);
	}
}

/* With the mutex held: what is held goes first, when its time has come, so that a flood does not keep it back. */
static void
take_round(struct rate_limiter *limiter, struct round *round)
{
	round->n = 0;
	if (limiter->stopping || clock_monotonic_us() >= limiter->held_until_us)
		take_from(limiter, RATE_LIST_HELD, round);
	take_from(limiter, RATE_LIST_DIRTY, round);
	limiter->telling = round->n > 0;
}

/* With the mutex held. `value`: as failure_script answers. */
static void
merge_failures(struct rate_limiter *limiter, struct entry *entry, int64_t value, int64_t now_us)
{
	int64_t n = value % 65536 + entry->unshared, n_forgiven = value / 65536;

	if (n_forgiven != entry->n_forgiven) {
		entry->n_forgiven = n_forgiven;
		entry->n_failures = entry->until_us = entry->before_us = 0;
	}
	if (n <= entry->n_failures)
		return;
	rate_limit_set_failures(limiter, entry, n, now_us);
	rate_limit_keep(entry, now_us);
}

/* With the mutex held. What was used since the round began is not in Redis' answer yet. */
static void
merge(struct rate_limiter *limiter, const struct share *share, int64_t value, int64_t now_us)
{
	struct entry *entry;

	HASH_FIND_STR(limiter->entries, share->key + PREFIX_LEN, entry);
	if (!entry || entry->forgiven)
		return;
	if (entry->is_failures)
		merge_failures(limiter, entry, value, now_us);
	else if (now_us + value + entry->unshared > entry->until_us)
		entry->until_us = entry->kept_us = now_us + value + entry->unshared;
}

/* With the mutex held. What Redis did not hear of failures, and of what ended them, it hears when it is back. What was merely used it
 * does not: after an outage that would be charged all at once. */
static void
hold_failures(struct rate_limiter *limiter, const struct share *share, int64_t now_us)
{
	struct entry *entry;

	HASH_FIND_STR(limiter->entries, share->key + PREFIX_LEN, entry);
	if (!entry || !entry->is_failures || entry->forgiven) /* forgiven since: so is this */
		return;
	entry->unshared += share->count;
	entry->forgiven = share->forgiven;
	entry->renewed |= share->renewed;
	if (entry->kept_us <= now_us && entry->unshared >= 0) { /* forgotten meanwhile, or forgiven */
		entry->unshared = 0;
		entry->renewed = false;
	}
	if (entry->unshared != 0 || entry->forgiven || entry->renewed)
		enlist(limiter, entry, RATE_LIST_HELD);
}

/* True when all of it was answered. */
static bool
share_round(struct rate_limiter *limiter, struct round *round)
{
	size_t n_answered = redis_run(limiter->redis, round->commands, round->n, NULL, round->replies);
	int64_t now_us = clock_monotonic_us();

	pthread_mutex_lock(&limiter->mutex);
	for (size_t i = 0; i < n_answered; i++)
		merge(limiter, &round->shares[i], round->replies[i].integer, now_us);
	for (size_t i = n_answered; i < round->n; i++)
		hold_failures(limiter, &round->shares[i], now_us);
	limiter->held_until_us = n_answered == round->n ? 0 : now_us + REDIS_PROBE_MS * 1000;
	limiter->telling = false;
	pthread_mutex_unlock(&limiter->mutex);
	metrics_add(METRIC_RATE_SHARED, (int64_t)n_answered);
	metrics_add(METRIC_RATE_UNSHARED, (int64_t)(round->n - n_answered));
	return n_answered == round->n;
}

/* With the mutex held: until there is something to tell, or the end has come. */
static void
wait_for_work(struct rate_limiter *limiter)
{
	while (!limiter->lists[RATE_LIST_DIRTY] && !limiter->stopping) {
		int64_t until_us = limiter->held_until_us;
		const struct timespec until = {until_us / 1000000, until_us % 1000000 * 1000};

		if (!limiter->lists[RATE_LIST_HELD])
			pthread_cond_wait(&limiter->wake, &limiter->mutex);
		else if (clock_monotonic_us() >= until_us)
			return;
		else
			pthread_cond_timedwait(&limiter->wake, &limiter->mutex, &until);
	}
}

/* At the end the rest is told, as long as Redis answers. */
static void *
run(void *argument)
{
	static _Thread_local struct round round;
	struct rate_limiter *limiter = argument;

	for (;;) {
		pthread_mutex_lock(&limiter->mutex);
		wait_for_work(limiter);
		bool stopping = limiter->stopping;
		take_round(limiter, &round);
		pthread_mutex_unlock(&limiter->mutex);

		bool answered = round.n > 0 && share_round(limiter, &round);
		if (stopping && !answered)
			return NULL;
		if (!stopping)
			nanosleep(&(struct timespec){.tv_nsec = ROUND_PAUSE_MS * 1000000}, NULL);
	}
}

static void
init_clocked(pthread_cond_t *cond)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC); /* whose times clock_monotonic_us() gives */
	pthread_cond_init(cond, &attributes);
	pthread_condattr_destroy(&attributes);
}

enum status
rate_limit_create(const struct rate_limits *limits, const char *redis_url, struct rate_limiter **ret_limiter,
		  struct fault *ret_fault)
{
	struct redis *redis = NULL;

	if (redis_url)
		TRY(redis_create(redis_url, &redis, ret_fault));

	struct rate_limiter *limiter = calloc(1, sizeof *limiter);
	if (!limiter)
		abort();
	limiter->limits = *limits;
	limiter->redis = redis;
	pthread_mutex_init(&limiter->mutex, NULL);
	init_clocked(&limiter->wake);
	if (redis)
		limiter->thread = thread_start("rate_limit", run, limiter);
	*ret_limiter = limiter;
	return OK;
}

void
rate_limit_destroy(struct rate_limiter *limiter)
{
	struct entry *entry, *next;

	if (!limiter)
		return;
	pthread_mutex_lock(&limiter->mutex);
	limiter->stopping = true;
	pthread_cond_signal(&limiter->wake);
	pthread_mutex_unlock(&limiter->mutex);
	if (limiter->redis)
		pthread_join(limiter->thread, NULL);
	HASH_ITER (hh, limiter->entries, entry, next)
		drop(limiter, entry);
	redis_destroy(limiter->redis);
	pthread_cond_destroy(&limiter->wake);
	pthread_mutex_destroy(&limiter->mutex);
	free(limiter);
}
