/* GET /api/v1/conversations/{conversation_id}: a conversation as the caller sees it. It is a function of its own revision
 * and of the caller's membership (read cursor) and the members' names and cursors, so all are in the tag. */
#include <inttypes.h>

#include "etag.h"
#include "ops.gen.h"
#include "req.h"
#include "store/conversations.h"

enum status
op_get_conversation(struct req *req)
{
	char conversation_id[ID_SIZE];
	struct conversation conversation;
	const char *etag;
	struct db *db;

	TRY(req_conversation_id(req, conversation_id));
	TRY(req_db(req, &db));
	TRY(conversations_get(db, &req->arena, conversation_id, req->caller.user_id, &conversation, &req->fault));

	const char *view = arena_printf(&req->arena, "conversation %" PRId64, conversation.member_user_rev);
	for (size_t i = 0; i < conversation.n_members; i++)
		view = arena_printf(&req->arena, "%s\n%s %" PRId64 " %" PRId64, view,
				    conversation.members[i].display_name, conversation.members[i].read_seq,
				    conversation.members[i].delivered_seq);
	TRY(etag_make(req, conversation_id, view, conversation.last_rev, &etag));
	if (etag_is_held(req, etag))
		return etag_reply_not_modified(req, etag);
	req_add_header(req, "ETag", etag);
	return req_reply(req, 200, conversation_to_json(&conversation));
}
