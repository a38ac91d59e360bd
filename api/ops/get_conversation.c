/* GET /api/v1/conversations/{conversation_id}: a conversation as the caller sees it. */
#include "etag.h"
#include "head_tag.h"
#include "ops.gen.h"
#include "req.h"
#include "store/conversations.h"

static enum status
make_tag(struct req *req, const struct conversation_state *state, const char **ret_etag)
{
	return head_tag_conversations(req, "conversation", state, 1, ret_etag);
}

/* Without reading it; the tag is NULL where nothing is held. */
static enum status
find_held(struct req *req, struct db *db, const char *conversation_id, const char **ret_etag)
{
	struct conversation_state state;

	*ret_etag = NULL;
	if (!etag_any_is_held(req))
		return OK;
	TRY(conversations_state(db, conversation_id, req->caller.user_id, &state, &req->fault));
	TRY(make_tag(req, &state, ret_etag));
	if (!etag_is_held(req, *ret_etag))
		*ret_etag = NULL;
	return OK;
}

enum status
op_get_conversation(struct req *req)
{
	char conversation_id[ID_SIZE];
	struct conversation conversation;
	struct conversation_state state;
	const char *etag;
	struct db *db;

	TRY(req_conversation_id(req, conversation_id));
	TRY(req_db(req, &db));
	TRY(find_held(req, db, conversation_id, &etag));
	if (etag)
		return etag_reply_not_modified(req, etag);
	TRY(conversations_get(db, &req->arena, conversation_id, req->caller.user_id, &conversation, &req->fault));
	state = conversations_state_of(&conversation);
	TRY(make_tag(req, &state, &etag));
	req_add_header(req, "ETag", etag);
	return req_reply(req, 200, conversation_to_json(&conversation));
}
