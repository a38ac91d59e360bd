/* GET /api/v1/conversations: the caller's conversations, newest activity first. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "cache.h"
#include "cursor.h"
#include "etag.h"
#include "head_tag.h"
#include "json.h"
#include "ops.gen.h"
#include "req.h"
#include "store/conversations.h"

/* One page of them, and its state. */
struct list {
	struct conversations_wish wish;
	struct conversation *items;
	struct conversation_state *states;
	size_t n;
	bool more;
};

static enum status
make_tag(struct req *req, const struct list *list, const char **ret_etag)
{
	const struct conversations_wish *wish = &list->wish;
	const char *view = arena_printf(&req->arena, "conversations %" PRId64 " %" PRId64 " %s%s", wish->limit,
					wish->before_ms, wish->before_id, list->more ? " and more" : "");

	return head_tag_conversations(req, view, list->states, list->n, ret_etag);
}

/* The tag of what it is now, without reading it. */
static enum status
find_tag(struct req *req, struct db *db, const struct conversations_wish *wish, const char **ret_etag)
{
	struct list list = {.wish = *wish};

	TRY(conversations_states(db, &req->arena, wish, &list.states, &list.n, &list.more));
	return make_tag(req, &list, ret_etag);
}

static json_t *
next_cursor(struct req *req, const struct conversation *last)
{
	return cursor_to_json(req, "conversations", conversations_activity_ms(last), last->id);
}

static json_t *
list_to_json(struct req *req, const struct list *list)
{
	json_t *items = json_array();

	for (size_t i = 0; i < list->n; i++)
		json_array_append_new(items, conversation_to_json(&list->items[i]));
	return json_pack("{s:o, s:o}", "items", items, "next_cursor",
			 list->more ? next_cursor(req, &list->items[list->n - 1]) : json_null());
}

/* What is kept is the list with its tag behind it: whether it is still that one is asked as of one that a client holds. So it costs nothing
 * to look for a list that nobody has asked for yet, and there is one of each. Of its beginning alone: all others are asked for once. */
static const char *
cache_key(struct req *req, const struct conversations_wish *wish)
{
	return arena_printf(&req->arena, "list:%s:%s:%" PRId64, req->standing.epoch, wish->user_id, wish->limit);
}

static void
keep(const struct cache_miss *miss, const char *text, size_t len, const char *etag)
{
	CLEANUP(buf_finish) struct buf value = {0};

	if (miss->cache && buf_append(&value, text, len + 1) && buf_append_text(&value, etag))
		cache_keep(miss, value.bytes, value.len);
}

/* *ret_answered: there was one that is still right. */
static enum status
answer_kept(struct req *req, struct db *db, const struct conversations_wish *wish, const char *etag,
	    struct cache_miss *ret_miss, bool *ret_answered)
{
	struct cache *cache = req->app->cache;
	const char *key = cache_key(req, wish);
	enum status status = OK;
	char *text;
	size_t len;

	*ret_answered = false;
	if (!cache_find(cache, key, &text, &len, ret_miss))
		return OK;
	if (!etag)
		status = find_tag(req, db, wish, &etag);
	len = strlen(text);
	if (status != OK || strcmp(text + len + 1, etag) != 0) {
		free(text);
		*ret_miss = cache_outdated(cache, key);
		return status;
	}
	*ret_answered = true;
	req_add_header(req, "ETag", etag);
	return req_reply_text(req, 200, text, len);
}

static enum status
read_list(struct req *req, struct db *db, struct list *list, const struct cache_miss *miss)
{
	uint64_t connection = db_connection_number(db); /* another one may be to a server with another history */
	const char *etag;
	char *text;
	size_t len;

	TRY(conversations_list(db, &req->arena, &list->wish, &list->items, &list->n, &list->more));
	list->states = arena_alloc(&req->arena, (list->n + 1) * sizeof *list->states);
	for (size_t i = 0; i < list->n; i++)
		list->states[i] = conversations_state_of(&list->items[i]);
	TRY(make_tag(req, list, &etag));
	req_add_header(req, "ETag", etag);
	text = json_to_text(list_to_json(req, list), &len);
	if (db_connection_number(db) == connection)
		keep(miss, text, len, etag);
	return req_reply_text(req, 200, text, len);
}

enum status
op_list_conversations(struct req *req)
{
	CLEANUP_CACHE_MISS struct cache_miss miss = {0};
	struct list list = {.wish = {req->caller.user_id, INT64_MAX, "", 0}};
	struct conversations_wish *wish = &list.wish;
	const char *etag = NULL;
	struct db *db;
	bool answered = false;

	TRY(req_query_limit(req, &wish->limit));
	TRY(cursor_read(req, req_query(req, "cursor"), "conversations", &wish->before_ms, &wish->before_id));
	TRY(req_db(req, &db));
	if (etag_any_is_held(req)) {
		TRY(find_tag(req, db, wish, &etag));
		if (etag_is_held(req, etag))
			return etag_reply_not_modified(req, etag);
	}
	if (!req_query(req, "cursor"))
		TRY(answer_kept(req, db, wish, etag, &miss, &answered));
	return answered ? OK : read_list(req, db, &list, &miss);
}
