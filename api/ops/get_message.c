/* GET /api/v1/conversations/{conversation_id}/messages/{message_id} */
#include "change.h"
#include "etag.h"
#include "ops.gen.h"
#include "req.h"
#include "store/messages.h"

static enum status
not_found(struct req *req)
{
	return req_fail(req, ERR_NOT_FOUND, "message_not_found", "There is no such message.");
}

enum status
op_get_message(struct req *req)
{
	char conversation_id[ID_SIZE], message_id[ID_SIZE];
	struct message message;
	const struct head *head;
	const char *etag;
	struct db *db;

	TRY(req_conversation_id(req, conversation_id));
	if (!id_normalize(req_path(req, "message_id"), message_id))
		return not_found(req);
	TRY(req_head(req, &head));
	TRY(req_db(req, &db));

	enum status status = messages_get(db, &req->arena, conversation_id, message_id, &message);
	if (status == ERR_NOT_FOUND)
		return not_found(req);
	TRY(status);
	TRY(etag_make(req, conversation_id, change_page(req, message_id), message.rev, &etag));
	return etag_is_held(req, etag) ? etag_reply_not_modified(req, etag) : change_reply(req, &message);
}
