/* POST /api/v1/messages: say something to a person, whether or not the two have spoken before. */
#include "ops.gen.h"
#include "req.h"
#include "send.h"

enum status
op_send_direct_message(struct req *req)
{
	struct message_draft draft = {0};

	return send_draft(req, MESSAGE_DRAFT_DIRECT, &draft);
}
