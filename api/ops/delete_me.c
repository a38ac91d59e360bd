/* DELETE /api/v1/users/me: delete one's own account; what one said stays. */
#include <string.h>

#include "admin.h"
#include "json.h"
#include "limit.h"
#include "ops.gen.h"
#include "req.h"
#include "store/users.h"

static enum status
verify(struct req *req, const char *password, const char **ret_hash)
{
	struct db *db;
	enum status status;

	TRY(req_db(req, &db));
	status = users_password_hash(db, &req->arena, req->caller.user_id, ret_hash);
	if (status == ERR_NOT_FOUND)
		return req_fail(req, ERR_UNAUTHORIZED, "session_ended", "The session has ended; log in again.");
	TRY(status);
	status = limit_verify_password(req, req->caller.user_id, req->caller.user_id, password, *ret_hash);
	if (status == ERR_UNAUTHORIZED)
		return fault_set(&req->fault, ERR_FORBIDDEN, "password_wrong", "password",
				 "This is not the current password; enter the one that you log in with now.");
	return status;
}

enum status
op_delete_me(struct req *req)
{
	struct write_administer write = {.op.kind = WRITE_ADMINISTER, .act = ADMINISTER_DELETE};
	const char *password;
	const struct json_field fields[] = {{"password", JSON_KIND_TEXT, true, &password}};

	TRY(json_decode(req->body, fields, 1, &req->arena, &req->fault));
	TRY(verify(req, password, &write.verified_hash));
	memcpy(write.user_id, req->caller.user_id, ID_SIZE);
	admin_actor(req, &write.by);

	enum status status = admin_run(req, &write.op);
	arena_finish(&write.op.arena);
	TRY(status);
	admin_retire(req, write.user_id);
	return req_reply_empty(req, 204);
}
