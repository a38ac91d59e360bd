/* GET /api/v1/presence?user_ids=a,b: who is there. Redis knows; without it everybody is unknown, and the database still says when
 * they were last seen. */
#include <string.h>

#include "model/presence.h"
#include "model/presence_script.h"
#include "ops.gen.h"
#include "redis.h"
#include "req.h"
#include "store/connections.h"

enum { PIECE = REDIS_WORDS_MAX - 1, PIECES_MAX = PRESENCE_ASKED_MAX / PIECE + 1 };

/* The ids between commas, in lower case. */
static enum status
read_ids(struct req *req, struct presence *people, size_t *ret_n)
{
	const char *text = req_query(req, "user_ids");
	size_t n = 0;

	if (!text)
		return fault_set(&req->fault, ERR_MALFORMED, "parameter_missing", "user_ids", "user_ids is required.");
	for (char *rest = arena_strdup(&req->arena, text), *id; (id = strsep(&rest, ",")); n++) {
		if (n == PRESENCE_ASKED_MAX)
			return fault_set(&req->fault, ERR_INVALID, "too_many", "user_ids",
					 "user_ids names at most %d people.", PRESENCE_ASKED_MAX);
		if (!id_normalize(id, people[n].user_id))
			return fault_set(&req->fault, ERR_INVALID, "id_invalid", "user_ids",
					 "user_ids must be UUIDs, separated by commas.");
	}
	*ret_n = n;
	return OK;
}

/* The answers of presence_script_read, a character for each of `people`. */
static void
take_answers(struct presence *people, size_t n, const struct redis_reply *reply)
{
	if (reply->kind != REPLY_TEXT || reply->len != n)
		return;
	for (size_t i = 0; i < n; i++)
		people[i].status = reply->bytes[i] == '+'   ? PRESENCE_ONLINE
				   : reply->bytes[i] == '-' ? PRESENCE_OFFLINE
							    : PRESENCE_UNKNOWN;
}

/* Leaves unknown what Redis does not answer. */
static void
ask_redis(struct req *req, struct presence *people, size_t n_people)
{
	struct redis_word words[PIECES_MAX][REDIS_WORDS_MAX];
	struct redis_command commands[PIECES_MAX] = {0};
	struct redis_reply replies[PIECES_MAX];
	size_t n = 0;

	for (size_t at = 0; at < n_people; at += PIECE, n++) {
		size_t n_here = n_people - at < PIECE ? n_people - at : PIECE;

		words[n][0] = (struct redis_word){"0", 1};
		for (size_t i = 0; i < n_here; i++)
			words[n][i + 1] = (struct redis_word){people[at + i].user_id, ID_LEN};
		commands[n] = (struct redis_command){presence_script_read, words[n], n_here + 1};
	}
	n = req->app->redis ? redis_run(req->app->redis, commands, n, &req->arena, replies) : 0;
	for (size_t i = 0; i < n; i++)
		take_answers(people + i * PIECE, commands[i].n_words - 1, &replies[i]);
}

enum status
op_get_presence(struct req *req)
{
	struct presence people[PRESENCE_ASKED_MAX] = {0};
	bool exists[PRESENCE_ASKED_MAX];
	struct db *db;
	size_t n;

	TRY(read_ids(req, people, &n));
	TRY(req_db(req, &db));
	TRY(connections_last_seen(db, people, n, exists));
	ask_redis(req, people, n);

	json_t *items = json_array();
	for (size_t i = 0; i < n; i++)
		if (exists[i])
			json_array_append_new(items, presence_to_json(&people[i]));
	return req_reply(req, 200, json_pack("{s:o}", "items", items));
}
