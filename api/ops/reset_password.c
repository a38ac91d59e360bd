/* POST /api/v1/admin/users/{user_id}/password-reset: a one-time password in place of a forgotten one. */
#include "admin.h"
#include "base/clock.h"
#include "ops.gen.h"
#include "req.h"

enum status
op_reset_password(struct req *req)
{
	struct write_administer write = {.op.kind = WRITE_ADMINISTER, .act = ADMINISTER_RESET};
	char password[ID_CODE_SIZE], hash[PASSWORD_HASH_SIZE], expires_at[CLOCK_TEXT_SIZE];

	TRY(admin_check(req));
	TRY(admin_user_id(req, write.user_id));
	id_make_code(password);
	TRY(password_hash(req->app->passwords, password, hash, &req->fault));
	write.password_hash = hash;
	admin_actor(req, &write.by);

	enum status status = admin_run(req, &write.op);
	if (status == OK) {
		clock_format(write.at_ms + req->app->config->auth_one_time_password_s * 1000, expires_at);
		status = req_reply(req, 200,
				   json_pack("{s:s, s:s, s:s}", "username", write.user.username, "password", password,
					     "expires_at", expires_at));
	}
	arena_finish(&write.op.arena);
	return status;
}
