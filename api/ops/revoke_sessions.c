/* DELETE /api/v1/auth/sessions: logs all other devices out. */
#include <string.h>

#include "ops.gen.h"
#include "req.h"

enum status
op_revoke_sessions(struct req *req)
{
	struct write_session write = {.op.kind = WRITE_REVOKE_OTHERS};

	memcpy(write.session.id, req->caller.session_id, ID_SIZE);
	memcpy(write.session.user_id, req->caller.user_id, ID_SIZE);

	enum status status = writer_run(req->app->writer, &write.op);
	req->fault = write.op.fault;
	arena_finish(&write.op.arena);
	return status == OK ? req_reply_empty(req, 204) : status;
}
