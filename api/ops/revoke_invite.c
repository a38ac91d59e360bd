/* DELETE /api/v1/admin/invites/{invite_id}: an invite that nobody may use any more. */
#include "admin.h"
#include "ops.gen.h"
#include "req.h"

enum status
op_revoke_invite(struct req *req)
{
	struct write_admission write = {.op.kind = WRITE_ADMISSION, .act = ADMISSION_REVOKE};

	TRY(admin_check(req));
	if (!id_normalize(req_path(req, "invite_id"), write.invite.id))
		return req_fail(req, ERR_NOT_FOUND, "invite_not_found", "There is no such invite.");
	admin_actor(req, &write.by);

	enum status status = admin_run(req, &write.op);
	arena_finish(&write.op.arena);
	return status == OK ? req_reply_empty(req, 204) : status;
}
