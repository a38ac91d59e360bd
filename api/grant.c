/* Handing out tokens. */
#include "grant.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "cookie.h"
#include "limit.h"
#include "req.h"
#include "token.h"

enum { USER_AGENT_MAX = 256 };

enum status
grant_begin(struct req *req, const char *mode, struct grant *ret_grant)
{
	struct grant grant = {.cookie = mode && strcmp(mode, "cookie") == 0};

	if (mode && !grant.cookie && strcmp(mode, "token") != 0)
		return fault_set(&req->fault, ERR_INVALID, "session_invalid", "session",
				 "session is \"token\" or \"cookie\".");
	if (grant.cookie)
		TRY(cookie_check_origin(req));
	token_refresh_make(grant.token);
	token_refresh_hash(grant.token, grant.hash, grant.family_hash);
	*ret_grant = grant;
	return OK;
}

void
grant_succeed(struct req *req, struct grant *grant, const char *presented)
{
	token_refresh_successor(&req->app->token_key, presented, grant->token);
	token_refresh_hash(grant->token, grant->hash, grant->family_hash);
}

/* A header as it may be stored and shown: cut, and only when it is proper text. */
static const char *
shown(struct req *req, const char *text, size_t max_bytes)
{
	size_t len = text ? strnlen(text, max_bytes) : 0;

	while (len > 0 && text[len] && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	const char *copy = arena_memdup(&req->arena, text ? text : "", len);
	return text_is_utf8(copy, len) && !text_has_control(copy, "") ? copy : "";
}

void
grant_session(struct req *req, const struct grant *grant, const char *user_id, struct login_session *ret_session)
{
	int64_t now_ms = clock_wall_ms();
	struct login_session session = {
		.user_agent = shown(req, req_header(req, "HTTP_USER_AGENT"), USER_AGENT_MAX),
		.address = limit_address(req),
		.created_at_ms = now_ms,
		.last_used_at_ms = now_ms,
		.expires_at_ms = now_ms + req->app->config->auth_refresh_token_s * 1000,
	};

	id_make(session.id);
	memcpy(session.user_id, user_id, ID_SIZE);
	memcpy(session.refresh_hash, grant->hash, ID_SECRET_SIZE);
	memcpy(session.family_hash, grant->family_hash, ID_SECRET_SIZE);
	*ret_session = session;
}

enum status
grant_reply(struct req *req, int http_status, const struct grant *grant, const struct user *user,
	    const struct login_session *session)
{
	int64_t now_ms = clock_wall_ms(), lifetime_s = req->app->config->auth_access_token_s;
	struct token_claims claims = {.issued_at_s = now_ms / 1000, .expires_at_s = now_ms / 1000 + lifetime_s};
	char token[TOKEN_SIZE];

	memcpy(claims.user_id, user->id, ID_SIZE);
	memcpy(claims.session_id, session->id, ID_SIZE);
	TRY(token_make(&req->app->token_key, &claims, token));

	json_t *json = json_pack("{s:o, s:s, s:I}", "user", me_to_json(user), "access_token", token, "expires_in",
				 (json_int_t)lifetime_s);
	if (grant->cookie)
		cookie_set(req, grant->token, (session->expires_at_ms - now_ms) / 1000);
	else
		json_object_set_new(json, "refresh_token", json_string(grant->token));
	return req_reply(req, http_status, json);
}
