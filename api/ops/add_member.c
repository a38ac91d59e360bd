/* PUT /api/v1/conversations/{conversation_id}/members/{user_id}: adds one person. */
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
	arena_finish(&write.op.arena);
	return status;
}
