/* GET /api/v1/conversations: the caller's conversations, newest activity first. */
#include "cursor.h"
#include "ops.gen.h"
#include "req.h"
#include "store/conversations.h"

static json_t *
next_cursor(struct req *req, const struct conversation *last)
{
	return cursor_to_json(req, "conversations", conversations_activity_ms(last), last->id);
}

enum status
op_list_conversations(struct req *req)
{
	const char *before_id = "";
	int64_t limit, before_ms = INT64_MAX;
	struct conversation *conversations;
	size_t n;
	bool more;
	struct db *db;

	TRY(req_query_limit(req, &limit));
	TRY(cursor_read(req, req_query(req, "cursor"), "conversations", &before_ms, &before_id));
	TRY(req_db(req, &db));
	TRY(conversations_list(db, &req->arena, req->caller.user_id, before_ms, before_id, limit, &conversations, &n,
			       &more));

	json_t *items = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(items, conversation_to_json(&conversations[i]));
	return req_reply(req, 200,
			 json_pack("{s:o, s:o}", "items", items, "next_cursor",
				   more ? next_cursor(req, &conversations[n - 1]) : json_null()));
}
