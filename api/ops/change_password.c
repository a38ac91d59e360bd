/* PUT /api/v1/users/me/password: another password; all other sessions end. */
#include <string.h>

#include "json.h"
#include "ops.gen.h"
#include "own_password.h"
#include "req.h"

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
	TRY(own_password_verify(req, current, "current_password", &write.verified_hash));
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
