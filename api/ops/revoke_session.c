/* DELETE /api/v1/auth/sessions/{session_id}: logs another device out (or this one). */
#include <string.h>

#include "ops.gen.h"
#include "req.h"
#include "store/sessions.h"

enum status
op_revoke_session(struct req *req)
{
	struct write_session write = {.op.kind = WRITE_REVOKE_SESSION};
	bool belongs = false;
	struct db *db;

	TRY(req_db(req, &db));
	if (id_normalize(req_path(req, "session_id"), write.session.id))
		TRY(sessions_belongs(db, write.session.id, req->caller.user_id, "device", &belongs));
	if (!belongs)
		return req_fail(req, ERR_NOT_FOUND, "session_not_found", "There is no such session.");
	memcpy(write.session.user_id, req->caller.user_id, ID_SIZE);

	enum status status = writer_run(req->app->writer, &write.op);
	req->fault = write.op.fault;
	arena_finish(&write.op.arena);
	return status == OK ? req_reply_empty(req, 204) : status;
}
