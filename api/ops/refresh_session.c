/* POST /api/v1/auth/refresh: a refresh token, from the body or the cookie, for an access token and the next refresh token. The
 * writer decides, because rotation and the detection of a stolen token are one transaction. */
#include <string.h>

#include "cookie.h"
#include "grant.h"
#include "json.h"
#include "ops.gen.h"
#include "req.h"

enum status
op_refresh_session(struct req *req)
{
	const char *token = NULL;
	const struct json_field fields[] = {{"refresh_token", JSON_KIND_TEXT, false, &token}};
	char presented_hash[ID_SECRET_SIZE];
	struct write_session write = {.op.kind = WRITE_ROTATE_SESSION, .presented_hash = presented_hash};
	struct grant grant;

	TRY(json_decode(req->body, fields, 1, &req->arena, &req->fault));
	bool by_cookie = !token;
	TRY(grant_begin(req, by_cookie ? "cookie" : "token", &grant));
	if (by_cookie)
		token = cookie_refresh_token(req);
	if (!token)
		return req_fail(req, ERR_UNAUTHORIZED, "refresh_token_missing", "There is no refresh token: log in.");

	grant_succeed(req, &grant, token);
	token_refresh_hash(token, presented_hash, write.session.family_hash);
	memcpy(write.session.refresh_hash, grant.hash, ID_SECRET_SIZE);
	enum status status = writer_run(req->app->writer, &write.op);
	req->fault = write.op.fault;
	if (status == OK)
		status = grant_reply(req, 200, &grant, &write.user, &write.session);
	arena_finish(&write.op.arena);
	return status;
}
