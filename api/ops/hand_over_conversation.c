/* POST /api/v1/admin/conversations/{conversation_id}/handover: another owner for a group whose owner cannot log in. */
#include <string.h>

#include "admin.h"
#include "group.h"
#include "json.h"
#include "ops.gen.h"
#include "req.h"

static enum status
read_heir(struct req *req, struct write_group *write)
{
	char(*user_id)[ID_SIZE] = arena_alloc(&req->arena, ID_SIZE);
	const char *text;
	const struct json_field fields[] = {{"user_id", JSON_KIND_TEXT, true, &text}};

	TRY(json_decode(req->body, fields, 1, &req->arena, &req->fault));
	if (strlen(text) != ID_LEN || !id_normalize(text, *user_id))
		return fault_set(&req->fault, ERR_INVALID, "id_invalid", "user_id",
				 "user_id must be the UUID of a member of the group.");
	write->user_ids = (const char(*)[ID_SIZE])user_id;
	write->n_user_ids = 1;
	return OK;
}

enum status
op_hand_over_conversation(struct req *req)
{
	struct write_group write;

	TRY(admin_check(req));
	TRY(group_begin(req, GROUP_HAND_OVER, &write));
	TRY(read_heir(req, &write));
	admin_actor(req, &write.by);

	enum status status = group_run_write(req, &write);
	if (status == OK)
		status = group_reply_members(req, &write);
	arena_finish(&write.op.arena);
	return status;
}
