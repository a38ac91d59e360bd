/* GET /api/v1/conversations/{conversation_id}/members: who is in it, in pages. */
#include "cursor.h"
#include "etag.h"
#include "ops.gen.h"
#include "req.h"
#include "store/conversations.h"
#include "store/groups.h"

enum status
op_list_members(struct req *req)
{
	char conversation_id[ID_SIZE];
	const char *after_id = "";
	int64_t limit, unused = 0;
	struct member *members;
	struct head head;
	size_t n;
	bool more;
	struct db *db;

	TRY(req_conversation_id(req, conversation_id));
	TRY(req_query_limit(req, &limit));
	TRY(cursor_read(req, req_query(req, "cursor"), "members", &unused, &after_id));
	TRY(req_db(req, &db));
	TRY(conversations_head(db, conversation_id, req->caller.user_id, &head, &req->fault));
	TRY(groups_members(db, &req->arena, conversation_id, req->caller.user_id, after_id, limit, &members, &n,
			   &more));

	json_t *items = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(items, member_to_json(&members[i]));
	return etag_reply(req,
			  json_pack("{s:o, s:o}", "items", items, "next_cursor",
				    more ? cursor_to_json(req, "members", 0, members[n - 1].user_id) : json_null()));
}
