/* POST /api/v1/auth/login: a session on one more device. An unknown person, a disabled one and a wrong password take the same
 * path, the same time and give the same answer, or logging in would tell who is here. */
#include <string.h>

#include "base/clock.h"
#include "grant.h"
#include "json.h"
#include "limit.h"
#include "ops.gen.h"
#include "req.h"
#include "store/audit.h"
#include "store/meta.h"
#include "store/users.h"

/* *ret_hash NULL: nobody who could log in. */
static enum status
find_person(struct req *req, const char *typed, struct user *ret_user, const char **ret_hash)
{
	const char *username, *key = "", *hash = NULL;
	struct db *db;

	TRY(req_db(req, &db));
	TRY(meta_check_serving(db, &req->fault)); /* elsewhere the password may be another by now */
	if (user_name_check(&req->arena, typed, &username, &key, NULL) != OK)
		key = ""; /* nobody has it */

	enum status status = users_get_by_name(db, &req->arena, key, ret_user, &hash);
	if (status != OK && status != ERR_NOT_FOUND)
		return status;
	*ret_hash = status == OK && !ret_user->disabled_at_ms && !ret_user->deleted_at_ms ? hash : NULL;
	return OK;
}

/* Wrong passwords for one name make each further try wait longer, whether there is such a person or not. */
static enum status
verify(struct req *req, const char *typed, const char *user_id, const char *password, const char *hash)
{
	const char *username, *key;

	if (user_name_check(&req->arena, typed, &username, &key, NULL) != OK)
		key = "";
	return limit_verify_password(req, key, user_id, password, hash);
}

/* Asked when the password was right. When it was made is in the audit alone: written with it, and never changed. */
static enum status
check_one_time(struct req *req, const struct user *user)
{
	const int64_t life_ms = req->app->config->auth_one_time_password_s * 1000;
	struct db *db;
	int64_t reset_at_ms;

	if (!user->must_change_password)
		return OK;
	TRY(req_db(req, &db));
	TRY(audit_last(db, user->id, "user.password_reset", &reset_at_ms));
	if (clock_wall_ms() < reset_at_ms + life_ms)
		return OK;
	return req_fail(req, ERR_UNAUTHORIZED, "password_expired",
			"This one-time password has expired: ask an administrator for another one.");
}

static enum status
store(struct req *req, struct write_session *write)
{
	enum status status = writer_run(req->app->writer, &write->op);

	req->fault = write->op.fault;
	if (status == ERR_UNAUTHORIZED) /* disabled, or the password changed, this very moment */
		return req_fail(req, ERR_UNAUTHORIZED, "bad_credentials", "The username or the password is wrong.");
	return status;
}

enum status
op_log_in(struct req *req)
{
	const char *typed, *password, *mode = NULL, *hash;
	const struct json_field fields[] = {
		{"username", JSON_KIND_TEXT, true, &typed},
		{"password", JSON_KIND_TEXT, true, &password},
		{"session", JSON_KIND_TEXT, false, &mode},
	};
	struct write_session write = {.op.kind = WRITE_CREATE_SESSION};
	struct grant grant;
	struct user user;

	TRY(json_decode(req->body, fields, sizeof fields / sizeof fields[0], &req->arena, &req->fault));
	TRY(grant_begin(req, mode, &grant));
	TRY(find_person(req, typed, &user, &hash));
	TRY(verify(req, typed, hash ? user.id : "", password, hash));
	TRY(check_one_time(req, &user));

	write.verified_hash = hash;
	grant_session(req, &grant, user.id, &write.session);
	enum status status = store(req, &write);
	if (status == OK)
		status = grant_reply(req, 200, &grant, &user, &write.session);
	arena_finish(&write.op.arena);
	return status;
}
