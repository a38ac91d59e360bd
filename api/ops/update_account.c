/* PATCH /api/v1/admin/users/{user_id}: disable or enable somebody, or make them an administrator or a member. */
#include <string.h>

#include "admin.h"
#include "json.h"
#include "ops.gen.h"
#include "req.h"

static enum status
read_change(struct req *req, struct write_administer *write)
{
	const json_t *disabled = json_object_get(req->body, "disabled");
	const struct json_field fields[] = {
		{"disabled", JSON_KIND_BOOL, false, &write->disabled},
		{"role", JSON_KIND_TEXT, false, &write->role},
	};

	TRY(json_decode(req->body, fields, sizeof fields / sizeof fields[0], &req->arena, &req->fault));
	write->set_disabled = disabled && !json_is_null(disabled);
	if (!write->role)
		return OK;
	if (strcmp(write->role, "admin") != 0 && strcmp(write->role, "member") != 0)
		return fault_set(&req->fault, ERR_INVALID, "out_of_range", "role", "role is admin or member.");
	write->role = strcmp(write->role, "admin") == 0 ? "admin" : "member";
	return OK;
}

enum status
op_update_account(struct req *req)
{
	struct write_administer write = {.op.kind = WRITE_ADMINISTER, .act = ADMINISTER_UPDATE};

	TRY(admin_check(req));
	TRY(admin_user_id(req, write.user_id));
	TRY(read_change(req, &write));
	admin_actor(req, &write.by);

	enum status status = admin_run(req, &write.op);
	if (status == OK)
		status = req_reply(req, 200, account_to_json(&write.user));
	arena_finish(&write.op.arena);
	return status;
}
