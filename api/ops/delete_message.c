/* DELETE /api/v1/conversations/{conversation_id}/messages/{message_id}: its place, id and sender stay. */
#include "change.h"
#include "ops.gen.h"
#include "req.h"

enum status
op_delete_message(struct req *req)
{
	struct message_change change = {.action = MESSAGE_DELETE};

	return change_message(req, &change);
}
