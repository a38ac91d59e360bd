/* PATCH /api/v1/conversations/{conversation_id}/messages/{message_id}: other words, by who said them. */
#include "change.h"
#include "json.h"
#include "ops.gen.h"
#include "req.h"

enum status
op_edit_message(struct req *req)
{
	struct message_change change = {.action = MESSAGE_EDIT};
	const struct json_field fields[] = {{"content", JSON_KIND_TEXT, true, &change.content}};

	TRY(json_decode(req->body, fields, 1, &req->arena, &req->fault));
	return change_message(req, &change);
}
