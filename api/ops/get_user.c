/* GET /api/v1/users/{user_id} */
#include "etag.h"
#include "head_tag.h"
#include "ops.gen.h"
#include "req.h"
#include "store/users.h"

enum status
op_get_user(struct req *req)
{
	char user_id[ID_SIZE];
	struct user user;
	const char *etag;
	struct db *db;

	if (!id_normalize(req_path(req, "user_id"), user_id))
		return req_fail(req, ERR_NOT_FOUND, "user_not_found", "There is no such person.");
	TRY(head_tag_person(req, user_id, "", &etag));
	if (etag_is_named(req, etag))
		return etag_reply_not_modified(req, etag);
	TRY(req_db(req, &db));
	TRY(users_get(db, &req->arena, user_id, &user, &req->fault));
	if (etag_is_held(req, etag))
		return etag_reply_not_modified(req, etag);
	req_add_header(req, "ETag", etag);
	return req_reply(req, 200, user_to_json(&user));
}
