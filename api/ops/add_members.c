/* POST /api/v1/conversations/{conversation_id}/members: adds people, at most 100 at once. */
#include "group.h"
#include "json.h"
#include "ops.gen.h"
#include "req.h"

enum status
op_add_members(struct req *req)
{
	struct write_group write;
	json_t *user_ids;
	const struct json_field fields[] = {{"user_ids", JSON_KIND_ARRAY, true, &user_ids}};

	TRY(group_begin(req, GROUP_ADD, &write));
	TRY(json_decode(req->body, fields, 1, &req->arena, &req->fault));
	TRY(group_people(req, user_ids, "user_ids", &write));
	if (write.n_user_ids == 0)
		return fault_set(&req->fault, ERR_INVALID, "invalid", "user_ids", "user_ids must name somebody.");

	enum status status = group_run_write(req, &write);
	if (status == OK)
		status = group_reply_members(req, &write);
	arena_finish(&write.op.arena);
	return status;
}
