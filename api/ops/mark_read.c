/* PUT /api/v1/conversations/{conversation_id}/read: the caller has read up to a seq. */
#include <string.h>

#include "json.h"
#include "ops.gen.h"
#include "req.h"

enum status
op_mark_read(struct req *req)
{
	struct write_mark_read write = {.op.kind = WRITE_MARK_READ};
	const struct json_field fields[] = {{"seq", JSON_KIND_INT, true, &write.seq}};

	TRY(req_conversation_id(req, write.conversation_id));
	TRY(json_decode(req->body, fields, 1, &req->arena, &req->fault));
	write.op.conversation_id = write.conversation_id;
	memcpy(write.user_id, req->caller.user_id, ID_SIZE);
	memcpy(write.session_id, req->caller.session_id, ID_SIZE);

	enum status status = writer_run(req->app->writer, &write.op);
	req->fault = write.op.fault;
	if (status == OK)
		status = req_reply(req, 200, membership_to_json(&write.membership));
	arena_finish(&write.op.arena);
	return status;
}
