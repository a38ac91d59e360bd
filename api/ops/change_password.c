/* PUT /api/v1/users/me/password: another password; all other sessions end. */
#include <string.h>

#include "json.h"
#include "limit.h"
#include "ops.gen.h"
#include "req.h"
#include "store/users.h"

static enum status
verify(struct req *req, const char *current, const char **ret_hash)
{
	struct db *db;
	enum status status;

	TRY(req_db(req, &db));
	status = users_password_hash(db, &req->arena, req->caller.user_id, ret_hash);
	if (status == ERR_NOT_FOUND)
		return req_fail(req, ERR_UNAUTHORIZED, "session_ended", "The session has ended; log in again.");
	TRY(status);
	status = limit_verify_password(req, req->caller.user_id, req->caller.user_id, current, *ret_hash);
	if (status == ERR_UNAUTHORIZED)
		return fault_set(&req->fault, ERR_FORBIDDEN, "password_wrong", "current_password",
				 "This is not the current password; enter the one that you log in with now.");
	return status;
}

enum status
op_change_password(struct req *req)
{
	const char *current, *wanted;
	const struct json_field fields[] = {
		{"current_password", JSON_KIND_TEXT, true, &current},
		{"new_password", JSON_KIND_TEXT, true, &wanted},
	};
	struct write_password write = {.op.kind = WRITE_PASSWORD};
	char hash[PASSWORD_HASH_SIZE];

	TRY(json_decode(req->body, fields, sizeof fields / sizeof fields[0], &req->arena, &req->fault));
	TRY(password_check(wanted, "new_password", &req->fault));
	TRY(verify(req, current, &write.verified_hash));
	if (strcmp(current, wanted) ==
	    0) /* whoever knows the current one, a one-time password too, would go on knowing it */
		return fault_set(&req->fault, ERR_INVALID, "password_unchanged", "new_password",
				 "The new password is the current one; choose another.");
	TRY(password_hash(req->app->passwords, wanted, hash, &req->fault));
	write.new_hash = hash;
	memcpy(write.user_id, req->caller.user_id, ID_SIZE);
	memcpy(write.session_id, req->caller.session_id, ID_SIZE);

	enum status status = writer_run(req->app->writer, &write.op);
	req->fault = write.op.fault;
	arena_finish(&write.op.arena);
	return status == OK ? req_reply_empty(req, 204) : status;
}
