/* GET /api/v1/users/me: who the caller is. */
#include "etag.h"
#include "head_tag.h"
#include "ops.gen.h"
#include "req.h"
#include "store/users.h"

enum status
op_get_me(struct req *req)
{
	const struct caller *caller = &req->caller;
	struct user user;
	const char *etag;
	struct db *db;

	TRY(head_tag_person(req, caller->user_id,
			    arena_printf(&req->arena, "%s %d", caller->role, caller->must_change_password), &etag));
	if (etag_is_held(req, etag))
		return etag_reply_not_modified(req, etag);
	TRY(req_db(req, &db));
	TRY(users_get(db, &req->arena, caller->user_id, &user, &req->fault));
	req_add_header(req, "ETag", etag);
	return req_reply(req, 200, me_to_json(&user));
}
