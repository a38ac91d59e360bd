/* PATCH /api/v1/conversations/{conversation_id}/members/{user_id}: gives a role; the owner's hands the group over. */
#include <string.h>

#include "group.h"
#include "json.h"
#include "ops.gen.h"
#include "req.h"

enum status
op_update_member(struct req *req)
{
	struct write_group write;
	const char *role;
	const struct json_field fields[] = {{"role", JSON_KIND_TEXT, true, &role}};

	TRY(group_begin(req, GROUP_SET_ROLE, &write));
	TRY(group_person(req, &write));
	TRY(json_decode(req->body, fields, 1, &req->arena, &req->fault));
	if (strcmp(role, "owner") != 0 && strcmp(role, "admin") != 0 && strcmp(role, "member") != 0)
		return fault_set(&req->fault, ERR_INVALID, "role_invalid", "role",
				 "role must be owner, admin or member.");
	write.role = role;

	enum status status = group_run_write(req, &write);
	if (status == OK)
		status = group_reply_members(req, &write);
	arena_finish(&write.op.arena);
	return status;
}
