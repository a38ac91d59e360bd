/* GET /api/v1/users/me: who the caller is. */
#include "etag.h"
#include "ops.gen.h"
#include "req.h"
#include "store/users.h"

enum status
op_get_me(struct req *req)
{
	struct user user;
	struct db *db;

	TRY(req_db(req, &db));
	TRY(users_get(db, &req->arena, req->caller.user_id, &user, &req->fault));
	return etag_reply(req, me_to_json(&user));
}
