/* Lease, members out of the database, their presence out of Redis in pieces, publish: one chain for each group. */
#include "presence_count.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics.h"
#include "model/conversation.h"
#include "model/presence_script.h"
#include "store/connections.h"
#include "subscriber.h"

enum {
	PIECE = 500,    /* people in one question */
	CHAINS_MAX = 8, /* groups that are counted at the same time; the others' turn comes a little later */
	LOOKS = 4,      /* at the lease, within its life */
};

struct presence_count {
	struct hub *hub;
	struct storage *storage;
	const char *node;
	int64_t count_ms, look_at_ms;
	size_t n_chains;
	size_t walked; /* large groups that the look under way has come by */
	size_t next;   /* how many of them have had their turn since the round began */
};

static struct subscriber_script read_script = {.text = presence_script_read};

struct chain {
	struct storage_job job; /* first member */
	struct presence_count *count;
	char conversation_id[ID_SIZE];
	char (*ids)[ID_SIZE];
	size_t n, at; /* asked so far */
	int64_t online;
	bool unknown;
};

static void
end(struct chain *chain)
{
	chain->count->n_chains--;
	arena_finish(&chain->job.arena);
	free(chain);
}

static void
on_published(void *context, const char *text)
{
	(void)context;
	(void)text;
}

static void
publish(struct chain *chain)
{
	struct hub *hub = chain->count->hub;
	struct event event;
	size_t len;

	event_presence_count(&chain->job.arena, chain->conversation_id, chain->online, (int64_t)chain->n, &event);

	char *record = event_encode(&chain->job.arena, hub_epoch(hub), &event, &len);
	const char *words[] = {"PUBLISH", event.channel, record};

	if (subscriber_command(hub_subscriber(hub), words, 3, on_published, NULL))
		metrics_add(METRIC_PRESENCE_COMMANDS, 1);
}

static void ask(struct chain *chain);

static void
on_counted(void *context, const char *text)
{
	struct chain *chain = context;

	if (!text) {
		end(chain);
		return;
	}
	for (; *text; text++) {
		chain->online += *text == '+';
		chain->unknown = chain->unknown || *text == '?';
	}
	if (chain->at < chain->n) {
		ask(chain);
		return;
	}
	if (!chain->unknown)
		publish(chain);
	end(chain);
}

static void
ask(struct chain *chain)
{
	const char *ids[PIECE];
	size_t n = 0;

	while (n < PIECE && chain->at < chain->n)
		ids[n++] = chain->ids[chain->at++];
	metrics_add(METRIC_PRESENCE_COMMANDS, 1);
	if (!subscriber_eval(hub_subscriber(chain->count->hub), &read_script, ids, n, on_counted, chain))
		end(chain);
}

static void
on_work(struct storage_job *job, struct db *db)
{
	struct chain *chain = (struct chain *)job;

	job->status = connections_member_ids(db, &job->arena, chain->conversation_id, &chain->ids, &chain->n);
}

static void
on_read(struct storage_job *job)
{
	struct chain *chain = (struct chain *)job;

	if (job->status == OK && chain->n)
		ask(chain);
	else
		end(chain);
}

static void
on_lease(void *context, const char *text)
{
	struct chain *chain = context;

	if (!text) { /* somebody else counts, or has just done so */
		end(chain);
		return;
	}
	chain->job.work = on_work;
	chain->job.done = on_read;
	storage_submit(chain->count->storage, &chain->job);
}

static void
begin(void *context, const char *conversation_id, int64_t member_count)
{
	struct presence_count *count = context;
	char key[64], life[24];
	struct chain *chain;

	(void)member_count;
	if (count->walked++ < count->next || count->n_chains >= CHAINS_MAX)
		return;
	count->next = count->walked;
	chain = calloc(1, sizeof *chain);
	if (!chain)
		abort();
	count->n_chains++;
	chain->count = count;
	memcpy(chain->conversation_id, conversation_id, ID_SIZE);
	snprintf(key, sizeof key, "presence:count:%s", conversation_id);
	snprintf(life, sizeof life, "%lld", (long long)count->count_ms);

	const char *words[] = {"SET", key, count->node, "NX", "PX", life};

	metrics_add(METRIC_PRESENCE_COMMANDS, 1);
	if (!subscriber_command(hub_subscriber(count->hub), words, 6, on_lease, chain))
		end(chain);
}

void
presence_count_tick(struct presence_count *count, int64_t now_ms)
{
	if (now_ms < count->look_at_ms)
		return;
	count->walked = 0;
	hub_each_large(count->hub, CONVERSATION_CLOSE_MAX, begin, count);
	if (count->next < count->walked)
		return; /* the next tick goes on behind the last that was begun, or the same ones would be first forever */
	count->next = 0;
	count->look_at_ms = now_ms + count->count_ms / LOOKS;
}

struct presence_count *
presence_count_create(struct hub *hub, struct storage *storage, const char *node, int64_t count_ms)
{
	struct presence_count *count = calloc(1, sizeof *count);

	if (!count)
		abort();
	count->hub = hub;
	count->storage = storage;
	count->node = node;
	count->count_ms = count_ms;
	return count;
}

void
presence_count_destroy(struct presence_count *count)
{
	free(count);
}
