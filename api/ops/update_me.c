/* PATCH /api/v1/users/me: how the caller is shown. */
#include <string.h>

#include "json.h"
#include "ops.gen.h"
#include "req.h"

enum status
op_update_me(struct req *req)
{
	struct write_user write = {.op.kind = WRITE_UPDATE_USER};
	const struct json_field fields[] = {{"display_name", JSON_KIND_TEXT, true, &write.display_name}};

	TRY(json_decode(req->body, fields, 1, &req->arena, &req->fault));
	TRY(user_display_name_check(write.display_name, &req->fault));
	memcpy(write.user_id, req->caller.user_id, ID_SIZE);
	memcpy(write.session_id, req->caller.session_id, ID_SIZE);

	enum status status = writer_run(req->app->writer, &write.op);
	req->fault = write.op.fault;
	if (status == OK)
		status = req_reply(req, 200, me_to_json(&write.user));
	arena_finish(&write.op.arena);
	return status;
}
