/* POST /api/v1/conversations/{conversation_id}/messages: store one message and acknowledge it. */
#include "ops.gen.h"
#include "req.h"
#include "send.h"

enum status
op_send_message(struct req *req)
{
	struct message_draft draft = {0};

	TRY(req_conversation_id(req, draft.conversation_id));
	return send_draft(req, MESSAGE_DRAFT_IN_CONVERSATION, &draft);
}
