/* Muting: see mute.h. */
#include "mute.h"

#include <string.h>

#include "req.h"

enum status
mute_until(struct req *req, int64_t until_ms)
{
	struct write_mute write = {.op.kind = WRITE_MUTE, .until_ms = until_ms};

	TRY(req_conversation_id(req, write.conversation_id));
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
