/* DELETE /api/v1/conversations/{conversation_id}/mute: to be called to it again. */
#include "mute.h"
#include "ops.gen.h"
#include "req.h"

enum status
op_unmute_conversation(struct req *req)
{
	return mute_until(req, 0);
}
