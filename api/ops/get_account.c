/* GET /api/v1/admin/users/{user_id}: an account. */
#include "admin.h"
#include "ops.gen.h"
#include "req.h"
#include "store/accounts.h"

enum status
op_get_account(struct req *req)
{
	char user_id[ID_SIZE];
	struct user user;
	struct db *db;

	TRY(admin_check(req));
	TRY(admin_user_id(req, user_id));
	TRY(req_db(req, &db));
	TRY(accounts_get(db, &req->arena, user_id, &user, &req->fault));
	return req_reply(req, 200, account_to_json(&user));
}
