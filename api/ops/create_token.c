/* POST /api/v1/auth/tokens: makes a personal access token, which is shown this once. */
#include <string.h>

#include "base/clock.h"
#include "json.h"
#include "ops.gen.h"
#include "req.h"
#include "token.h"

enum { DAY_S = 24 * 3600, LIFETIME_DEFAULT_S = 90 * DAY_S, LIFETIME_MIN_S = 60, LIFETIME_MAX_S = 366 * DAY_S };

static enum status
read_wish(struct req *req, const char **ret_name, int64_t *ret_lifetime_s)
{
	const struct json_field fields[] = {
		{"name", JSON_KIND_TEXT, true, ret_name},
		{"expires_in", JSON_KIND_INT, false, ret_lifetime_s},
	};

	TRY(json_decode(req->body, fields, sizeof fields / sizeof fields[0], &req->arena, &req->fault));
	TRY(access_token_check_name(*ret_name, &req->fault));
	if (*ret_lifetime_s < LIFETIME_MIN_S || *ret_lifetime_s > LIFETIME_MAX_S)
		return fault_set(&req->fault, ERR_INVALID, "out_of_range", "expires_in",
				 "expires_in is from %d to %d seconds (366 days).", LIFETIME_MIN_S, LIFETIME_MAX_S);
	return OK;
}

enum status
op_create_token(struct req *req)
{
	struct write_access_token write = {.op.kind = WRITE_CREATE_TOKEN};
	char token[TOKEN_PERSONAL_SIZE], prefix[TOKEN_PERSONAL_PREFIX_SIZE];
	int64_t lifetime_s = LIFETIME_DEFAULT_S;
	const char *name = NULL;

	TRY(read_wish(req, &name, &lifetime_s));
	token_personal_make(token, prefix);
	write.token = (struct login_session){.name = name, .prefix = prefix, .created_at_ms = clock_wall_ms()};
	write.token.expires_at_ms = write.token.created_at_ms + lifetime_s * 1000;
	id_make(write.token.id);
	id_hash_secret(token, strlen(token), write.token.family_hash);
	memcpy(write.token.refresh_hash, write.token.family_hash, ID_SECRET_SIZE);
	memcpy(write.token.user_id, req->caller.user_id, ID_SIZE);
	memcpy(write.session_id, req->caller.session_id, ID_SIZE);

	enum status status = writer_run(req->app->writer, &write.op);
	req->fault = write.op.fault;
	arena_finish(&write.op.arena);
	if (status != OK)
		return status;
	json_t *json = access_token_to_json(&write.token);
	json_object_set_new(json, "token", json_string(token));
	return req_reply(req, 201, json);
}
