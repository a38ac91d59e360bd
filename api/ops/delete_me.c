/* DELETE /api/v1/users/me: delete one's own account; what one said stays. */
#include <string.h>

#include "admin.h"
#include "json.h"
#include "ops.gen.h"
#include "own_password.h"
#include "req.h"

enum status
op_delete_me(struct req *req)
{
	struct write_administer write = {.op.kind = WRITE_ADMINISTER, .act = ADMINISTER_DELETE};
	const char *password;
	const struct json_field fields[] = {{"password", JSON_KIND_TEXT, true, &password}};

	TRY(json_decode(req->body, fields, 1, &req->arena, &req->fault));
	TRY(own_password_verify(req, password, "password", &write.verified_hash));
	memcpy(write.user_id, req->caller.user_id, ID_SIZE);
	admin_actor(req, &write.by);

	enum status status = admin_run(req, &write.op);
	arena_finish(&write.op.arena);
	TRY(status);
	admin_retire(req, write.user_id);
	return req_reply_empty(req, 204);
}
