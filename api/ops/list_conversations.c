/* GET /api/v1/conversations: the caller's conversations, newest activity first. */
#include <inttypes.h>

#include "cursor.h"
#include "etag.h"
#include "head_tag.h"
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

/* Without reading it; the tag is NULL where nothing is held. */
static enum status
find_held(struct req *req, struct db *db, const struct conversations_wish *wish, const char **ret_etag)
{
	struct list list = {.wish = *wish};

	*ret_etag = NULL;
	if (!etag_any_is_held(req))
		return OK;
	TRY(conversations_states(db, &req->arena, wish, &list.states, &list.n, &list.more));
	TRY(make_tag(req, &list, ret_etag));
	if (!etag_is_held(req, *ret_etag))
		*ret_etag = NULL;
	return OK;
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

enum status
op_list_conversations(struct req *req)
{
	struct list list = {.wish = {req->caller.user_id, INT64_MAX, "", 0}};
	struct conversations_wish *wish = &list.wish;
	const char *etag;
	struct db *db;

	TRY(req_query_limit(req, &wish->limit));
	TRY(cursor_read(req, req_query(req, "cursor"), "conversations", &wish->before_ms, &wish->before_id));
	TRY(req_db(req, &db));
	TRY(find_held(req, db, wish, &etag));
	if (etag)
		return etag_reply_not_modified(req, etag);
	TRY(conversations_list(db, &req->arena, wish, &list.items, &list.n, &list.more));
	list.states = arena_alloc(&req->arena, (list.n + 1) * sizeof *list.states);
	for (size_t i = 0; i < list.n; i++)
		list.states[i] = conversations_state_of(&list.items[i]);
	TRY(make_tag(req, &list, &etag));
	req_add_header(req, "ETag", etag);
	return req_reply(req, 200, list_to_json(req, &list));
}
