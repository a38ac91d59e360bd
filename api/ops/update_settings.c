/* PATCH /api/v1/admin/settings: open or close the sign-up without a restart. */
#include "admin.h"
#include "json.h"
#include "ops.gen.h"
#include "req.h"
#include "store/meta.h"

enum status
op_update_settings(struct req *req)
{
	struct write_admission write = {.op.kind = WRITE_ADMISSION, .act = ADMISSION_SIGN_UP};
	const struct json_field fields[] = {{"sign_up", JSON_KIND_TEXT, true, &write.sign_up}};
	const char *sign_up;

	TRY(admin_check(req));
	TRY(json_decode(req->body, fields, 1, &req->arena, &req->fault));
	if (!meta_sign_up_is_known(write.sign_up))
		return fault_set(&req->fault, ERR_INVALID, "out_of_range", "sign_up",
				 "sign_up is open, invite, closed, or default for what auth.sign_up says.");
	admin_actor(req, &write.by);
	enum status status = admin_run(req, &write.op);
	arena_finish(&write.op.arena);
	TRY(status);
	TRY(admin_sign_up(req, &sign_up));
	return req_reply(req, 200, json_pack("{s:s}", "sign_up", sign_up));
}
