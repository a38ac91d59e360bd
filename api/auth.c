/* Bearer tokens (RFC 6750 2.1). */
#include "auth.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "req.h"
#include "route.h"
#include "store/access_tokens.h"
#include "store/meta.h"
#include "store/sessions.h"

enum { USE_NOTED_MS = 60 * 1000 }; /* last_used_at is written once in so long, not at each request */

static enum status
bearer(struct req *req, const char **ret_token)
{
	static const char scheme[] = "Bearer ";
	const char *header = req_header(req, "HTTP_AUTHORIZATION");

	*ret_token = "";
	if (!header || strncasecmp(header, scheme, sizeof scheme - 1) != 0)
		return req_fail(req, ERR_UNAUTHORIZED, "token_missing", "An access token is needed: log in first.");
	header += sizeof scheme - 1;
	*ret_token = header + strspn(header, " ");
	return OK;
}

enum status
auth_claims(struct req *req, struct token_claims *ret_claims)
{
	const char *token = "";

	TRY(bearer(req, &token));
	return token_verify_cached(&req->reader->tokens, &req->app->token_key, token, clock_wall_ms() / 1000,
				   ret_claims, &req->fault);
}

/* A token that cannot be noted as used is used nevertheless. */
static void
note_use(struct req *req, const struct login_session *token)
{
	struct write_access_token write = {.op.kind = WRITE_USE_TOKEN};

	if (clock_wall_ms() - token->last_used_at_ms < USE_NOTED_MS)
		return;
	memcpy(write.token.id, token->id, ID_SIZE);
	(void)!writer_run(req->app->writer, &write.op);
	arena_finish(&write.op.arena);
}

/* Whoever holds a personal access token may do what its owner may, but for what concerns log-ins and tokens (route.c). */
static enum status
find_personal(struct req *req, const char *token, struct token_claims *ret_claims)
{
	char hash[ID_SECRET_SIZE];
	struct login_session session;
	struct db *db;

	TRY(req_db(req, &db));
	TRY(meta_check_serving(db, &req->fault)); /* what was moved away does not know new tokens */
	id_hash_secret(token, strlen(token), hash);
	TRY(access_tokens_find(db, hash, clock_wall_ms(), &session, &req->fault));
	note_use(req, &session);
	memcpy(ret_claims->user_id, session.user_id, ID_SIZE);
	memcpy(ret_claims->session_id, session.id, ID_SIZE);
	return OK;
}

static enum status
find_claims(struct req *req, struct token_claims *ret_claims, bool *ret_personal)
{
	const char *token = "";

	TRY(bearer(req, &token));
	*ret_personal = token_is_personal(token);
	return *ret_personal ? find_personal(req, token, ret_claims) : auth_claims(req, ret_claims);
}

enum status
auth_token(struct req *req)
{
	struct token_claims claims;

	TRY(find_claims(req, &claims, &req->caller.is_token));
	memcpy(req->caller.user_id, claims.user_id, ID_SIZE);
	memcpy(req->caller.session_id, claims.session_id, ID_SIZE);
	return OK;
}

/* What somebody with a one-time password may do: see who they are, and choose their own. */
static bool
is_for_newcomers(const char *operation_id)
{
	return strcmp(operation_id, "change_password") == 0 || strcmp(operation_id, "get_me") == 0;
}

enum status
auth_check(struct req *req)
{
	char conversation_id[ID_SIZE];
	struct token_claims claims;
	struct db *db;
	bool is_token;

	TRY(find_claims(req, &claims, &is_token));
	TRY(req_db(req, &db));

	const struct standing_question question = {
		.session_id = claims.session_id,
		.user_id = claims.user_id,
		.now_ms = clock_wall_ms(),
		.conversation_id = req_about_conversation(req, conversation_id) ? conversation_id : NULL,
	};
	TRY(sessions_standing(db, &question, &req->caller, &req->standing, &req->fault));
	req->caller.is_token = is_token;
	if (req->caller.must_change_password && !is_for_newcomers(req->route->operation_id))
		return req_fail(req, ERR_FORBIDDEN, "password_change_required",
				"This password was for once: choose one of your own first (PUT /users/me/password).");
	return OK;
}

static enum status
refuse_token(struct req *req)
{
	return req_fail(req, ERR_FORBIDDEN, "token_not_allowed",
			"A personal access token is not enough for this: log in.");
}

enum status
auth_check_device(struct req *req)
{
	TRY(auth_check(req));
	return req->caller.is_token ? refuse_token(req) : OK;
}

enum status
auth_refuse_personal(struct req *req)
{
	const char *token = "";

	if (bearer(req, &token) != OK)
		req->fault = (struct fault){0};
	return token_is_personal(token) ? refuse_token(req) : OK;
}
