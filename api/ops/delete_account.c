/* DELETE /api/v1/admin/users/{user_id}: delete somebody's account; what they said stays. */
#include "admin.h"
#include "ops.gen.h"
#include "req.h"
#include "writer/retire.h"

enum status
op_delete_account(struct req *req)
{
	struct write_administer write = {.op.kind = WRITE_ADMINISTER, .act = ADMINISTER_DELETE};
	struct db *db;

	TRY(admin_check(req));
	TRY(admin_user_id(req, write.user_id));
	admin_actor(req, &write.by);

	enum status status = admin_run(req, &write.op);
	arena_finish(&write.op.arena);
	TRY(status);
	TRY(req_db(req, &db));
	TRY(retire_from_groups(req->app->writer, db, write.user_id, &req->fault));
	return req_reply_empty(req, 204);
}
