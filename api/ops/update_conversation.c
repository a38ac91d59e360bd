/* PATCH /api/v1/conversations/{conversation_id}: a group's title and slow mode. */
#include "group.h"
#include "json.h"
#include "ops.gen.h"
#include "req.h"

enum status
op_update_conversation(struct req *req)
{
	struct write_group write;
	int64_t slow_mode_s = GROUP_SLOW_MODE_KEPT;
	const char *title = NULL;
	const struct json_field fields[] = {
		{"title", JSON_KIND_TEXT, false, &title},
		{"slow_mode_s", JSON_KIND_INT, false, &slow_mode_s},
	};

	TRY(group_begin(req, GROUP_UPDATE, &write));
	TRY(json_decode(req->body, fields, sizeof fields / sizeof fields[0], &req->arena, &req->fault));
	if (title)
		TRY(conversation_title_check(title, &req->fault));
	if (json_is_integer(json_object_get(req->body, "slow_mode_s")) &&
	    (slow_mode_s < 0 || slow_mode_s > CONVERSATION_SLOW_MODE_MAX_S))
		return fault_set(&req->fault, ERR_INVALID, "out_of_range", "slow_mode_s",
				 "slow_mode_s must be from 0 (none) to 3600 seconds.");
	write.title = title;
	write.slow_mode_s = slow_mode_s;

	enum status status = group_run_write(req, &write);
	if (status == OK)
		status = group_reply(req, 200, write.op.conversation_id);
	arena_finish(&write.op.arena);
	return status;
}
