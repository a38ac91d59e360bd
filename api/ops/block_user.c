/* PUT /api/v1/users/me/blocks/{user_id}: they cannot write to the caller any more, and are not told. */
#include <string.h>

#include "ops.gen.h"
#include "req.h"

enum status
op_block_user(struct req *req)
{
	struct write_block write = {.op.kind = WRITE_BLOCK, .block.blocked = true};

	if (!id_normalize(req_path(req, "user_id"), write.block.user_id))
		return req_fail(req, ERR_NOT_FOUND, "user_not_found", "There is no such person.");
	memcpy(write.user_id, req->caller.user_id, ID_SIZE);
	memcpy(write.session_id, req->caller.session_id, ID_SIZE);
	id_direct_conversation(write.user_id, write.block.user_id, write.conversation_id);
	write.op.conversation_id = write.conversation_id;

	enum status status = writer_run(req->app->writer, &write.op);
	req->fault = write.op.fault;
	arena_finish(&write.op.arena);
	return status == OK ? req_reply_empty(req, 204) : status;
}
