/* POST /api/v1/auth/logout: ends every session that the request names, by refresh token, cookie or access token. One that has
 * ended already, or never was, is no error: the person is logged out, which is what they want. */
#include <string.h>

#include "auth.h"
#include "cookie.h"
#include "json.h"
#include "ops.gen.h"
#include "req.h"
#include "store/sessions.h"

static enum status
end_session(struct req *req, const char *session_id, const char *user_id)
{
	struct write_session write = {.op.kind = WRITE_REVOKE_SESSION};

	memcpy(write.session.id, session_id, ID_SIZE);
	memcpy(write.session.user_id, user_id, ID_SIZE);
	enum status status = writer_run(req->app->writer, &write.op);
	req->fault = write.op.fault;
	arena_finish(&write.op.arena);
	return status;
}

static enum status
end_by_refresh_token(struct req *req, const char *token)
{
	char hash[ID_SECRET_SIZE], family_hash[ID_SECRET_SIZE];
	struct login_session session;
	struct db *db;

	if (!token)
		return OK;
	TRY(req_db(req, &db));
	token_refresh_hash(token, hash, family_hash);
	enum status status = sessions_get_by_family(db, &req->arena, family_hash, &session);
	if (status == ERR_NOT_FOUND)
		return OK;
	TRY(status);
	return end_session(req, session.id, session.user_id);
}

enum status
op_log_out(struct req *req)
{
	const char *token = NULL;
	const struct json_field fields[] = {{"refresh_token", JSON_KIND_TEXT, false, &token}};
	const char *cookie = cookie_refresh_token(req);
	struct token_claims claims;

	TRY(auth_refuse_personal(req));
	TRY(json_decode(req->body, fields, 1, &req->arena, &req->fault));
	if (cookie)
		TRY(cookie_check_origin(req));

	if (auth_claims(req, &claims) == OK)
		TRY(end_session(req, claims.session_id, claims.user_id));
	TRY(end_by_refresh_token(req, token));
	TRY(end_by_refresh_token(req, cookie));
	if (cookie)
		cookie_set(req, "", 0);
	return req_reply_empty(req, 204);
}
