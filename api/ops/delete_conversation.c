/* DELETE /api/v1/conversations/{conversation_id}: ends a group for all its members. */
#include "group.h"
#include "json.h"
#include "ops.gen.h"
#include "req.h"

enum status
op_delete_conversation(struct req *req)
{
	struct write_group write;

	TRY(group_begin(req, GROUP_DELETE, &write));

	enum status status = group_run_write(req, &write);
	if (status == OK)
		status = req_reply_empty(req, 204);
	arena_finish(&write.op.arena);
	return status;
}
