/* DELETE /api/v1/conversations/{conversation_id}/members/{user_id}: removes a member; oneself is to leave. */
#include "group.h"
#include "json.h"
#include "ops.gen.h"
#include "req.h"

enum status
op_remove_member(struct req *req)
{
	struct write_group write;

	TRY(group_begin(req, GROUP_REMOVE, &write));
	TRY(group_person(req, &write));

	enum status status = group_run_write(req, &write);
	if (status == OK)
		status = req_reply_empty(req, 204);
	arena_finish(&write.op.arena);
	return status;
}
