/* Asking for the caller's password again: change_password, delete_me. */
#include "own_password.h"

#include "limit.h"
#include "req.h"
#include "store/users.h"

enum status
own_password_verify(struct req *req, const char *password, const char *field, const char **ret_hash)
{
	const char *user_id = req->caller.user_id;
	struct db *db;

	TRY(req_db(req, &db));
	enum status status = users_password_hash(db, &req->arena, user_id, ret_hash);
	if (status == ERR_NOT_FOUND)
		return req_fail(req, ERR_UNAUTHORIZED, "session_ended", "The session has ended; log in again.");
	TRY(status);
	status = limit_verify_password(req, user_id, user_id, password, *ret_hash);
	if (status == ERR_UNAUTHORIZED)
		return fault_set(&req->fault, ERR_FORBIDDEN, "password_wrong", field,
				 "This is not the current password; enter the one that you log in with now.");
	return status;
}
