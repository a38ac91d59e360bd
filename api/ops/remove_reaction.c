/* DELETE /api/v1/conversations/{conversation_id}/messages/{message_id}/reactions/{emoji}: once a person and emoji. */
#include "change.h"
#include "ops.gen.h"
#include "req.h"

enum status
op_remove_reaction(struct req *req)
{
	struct message_change change = {.action = MESSAGE_UNREACT, .emoji = req_path(req, "emoji")};

	return change_message(req, &change);
}
