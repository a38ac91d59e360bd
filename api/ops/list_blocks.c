/* GET /api/v1/users/me/blocks: whom the caller blocks. */
#include "base/clock.h"
#include "cursor.h"
#include "ops.gen.h"
#include "req.h"
#include "store/blocks.h"

static json_t *
to_json(const struct blocked_user *blocked)
{
	char created_at[CLOCK_TEXT_SIZE];

	clock_format(blocked->created_at_ms, created_at);
	return json_pack("{s:o, s:s}", "user", user_to_json(&blocked->user), "created_at", created_at);
}

enum status
op_list_blocks(struct req *req)
{
	const char *before_id = "";
	int64_t limit, before_ms = INT64_MAX;
	struct blocked_user *blocked;
	size_t n;
	bool more;
	struct db *db;

	TRY(req_query_limit(req, &limit));
	TRY(cursor_read(req, req_query(req, "cursor"), "blocks", &before_ms, &before_id));
	TRY(req_db(req, &db));
	TRY(blocks_list(db, &req->arena, req->caller.user_id, before_ms, before_id, limit, &blocked, &n, &more));

	json_t *items = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(items, to_json(&blocked[i]));
	json_t *cursor = more ? cursor_to_json(req, "blocks", blocked[n - 1].created_at_ms, blocked[n - 1].user.id)
			      : json_null();
	return req_reply(req, 200, json_pack("{s:o, s:o}", "items", items, "next_cursor", cursor));
}
