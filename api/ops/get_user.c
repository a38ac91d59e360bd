/* GET /api/v1/users/{user_id} */
#include "etag.h"
#include "ops.gen.h"
#include "req.h"
#include "store/users.h"

enum status
op_get_user(struct req *req)
{
	char user_id[ID_SIZE];
	struct user user;
	struct db *db;

	if (!id_normalize(req_path(req, "user_id"), user_id))
		return req_fail(req, ERR_NOT_FOUND, "user_not_found", "There is no such person.");
	TRY(req_db(req, &db));
	TRY(users_get(db, &req->arena, user_id, &user, &req->fault));
	return etag_reply(req, user_to_json(&user));
}
