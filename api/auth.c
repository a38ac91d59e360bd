/* Bearer tokens (RFC 6750 2.1). */
#include "auth.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "req.h"
#include "store/sessions.h"

enum status
auth_claims(struct req *req, struct token_claims *ret_claims)
{
	static const char scheme[] = "Bearer ";
	const char *header = req_header(req, "HTTP_AUTHORIZATION");

	if (!header || strncasecmp(header, scheme, sizeof scheme - 1) != 0)
		return req_fail(req, ERR_UNAUTHORIZED, "token_missing", "An access token is needed: log in first.");
	header += sizeof scheme - 1;
	header += strspn(header, " ");
	return token_verify_cached(&req->reader->tokens, &req->app->token_key, header, clock_wall_ms() / 1000,
				   ret_claims, &req->fault);
}

enum status
auth_token(struct req *req)
{
	struct token_claims claims;

	TRY(auth_claims(req, &claims));
	memcpy(req->caller.user_id, claims.user_id, ID_SIZE);
	memcpy(req->caller.session_id, claims.session_id, ID_SIZE);
	return OK;
}

enum status
auth_check(struct req *req)
{
	struct token_claims claims;
	struct db *db;

	TRY(auth_claims(req, &claims));
	TRY(req_db(req, &db));
	return sessions_check(db, claims.session_id, claims.user_id, clock_wall_ms(), &req->caller, &req->fault);
}
