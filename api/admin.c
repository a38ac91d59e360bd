/* What the operations for administrators share. */
#include "admin.h"

#include <string.h>

#include "limit.h"
#include "log.h"
#include "req.h"
#include "store/meta.h"
#include "writer/retire.h"

enum status
admin_check(struct req *req)
{
	if (req->caller.is_token)
		return req_fail(req, ERR_FORBIDDEN, "token_not_allowed",
				"A personal access token is not enough for this: log in, or use `stonechat admin`.");
	if (strcmp(req->caller.role, "admin") == 0)
		return OK;
	return req_fail(req, ERR_FORBIDDEN, "admin_required",
			"Only administrators of this server may do this: ask one.");
}

void
admin_actor(struct req *req, struct write_actor *ret_actor)
{
	*ret_actor = (struct write_actor){
		.name = req->caller.user_id,
		.session_id = req->caller.session_id,
		.address = limit_address(req),
		.request_id = req->request_id,
	};
}

enum status
admin_user_id(struct req *req, char ret_id[ID_SIZE])
{
	if (!id_normalize(req_path(req, "user_id"), ret_id))
		return req_fail(req, ERR_NOT_FOUND, "user_not_found", "There is no such person.");
	return OK;
}

enum status
admin_run(struct req *req, struct write_op *op)
{
	enum status status = writer_run(req->app->writer, op);

	req->fault = op->fault;
	return status;
}

void
admin_retire(struct req *req, const char *user_id)
{
	struct fault fault = {0};
	struct db *db;
	enum status status = req_db(req, &db);

	if (status == OK)
		status = retire_from_groups(req->app->writer, db, user_id, &fault);
	if (status != OK)
		log_warn("retire", LOG_S("request_id", req->request_id), LOG_S("detail", fault.detail));
}

enum status
admin_sign_up(struct req *req, const char **ret_sign_up)
{
	char set[META_SIGN_UP_SIZE];
	struct db *db;

	TRY(req_db(req, &db));
	TRY(meta_sign_up(db, set));
	*ret_sign_up = strcmp(set, "default") == 0 ? req->app->config->auth_sign_up : arena_strdup(&req->arena, set);
	return OK;
}
