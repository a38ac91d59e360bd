/* DELETE /api/v1/admin/users/{user_id}: delete somebody's account; what they said stays. */
#include "admin.h"
#include "ops.gen.h"
#include "req.h"

enum status
op_delete_account(struct req *req)
{
	struct write_administer write = {.op.kind = WRITE_ADMINISTER, .act = ADMINISTER_DELETE};

	TRY(admin_check(req));
	TRY(admin_user_id(req, write.user_id));
	admin_actor(req, &write.by);

	enum status status = admin_run(req, &write.op);
	arena_finish(&write.op.arena);
	TRY(status);
	admin_retire(req, write.user_id);
	return req_reply_empty(req, 204);
}
