/* PUT /api/v1/conversations/{conversation_id}/members/{user_id}: adds one person. Who is named by the path and
 * is nobody is not found, where add_members refuses a field. */
#include <string.h>

#include "group.h"
#include "json.h"
#include "ops.gen.h"
#include "req.h"

enum status
op_add_member(struct req *req)
{
	struct write_group write;

	TRY(group_begin(req, GROUP_ADD, &write));
	TRY(group_person(req, &write));

	enum status status = group_run_write(req, &write);
	if (status == OK)
		status = group_reply_members(req, &write);
	else if (status == ERR_INVALID && strcmp(req->fault.code, "user_unavailable") == 0)
		status = req_fail(req, ERR_NOT_FOUND, "user_not_found",
				  "There is no such person, or their account has ended.");
	arena_finish(&write.op.arena);
	return status;
}
