/* POST /api/v1/auth/signup: make an account and log in with it. The first person becomes the administrator. */
#include <string.h>

#include "admin.h"
#include "base/clock.h"
#include "grant.h"
#include "json.h"
#include "limit.h"
#include "ops.gen.h"
#include "req.h"
#include "store/invites.h"

struct wish {
	const char *username;
	const char *password;
	const char *display_name;
	const char *session;
	const char *invite_code;
	char invite_hash[ID_SECRET_SIZE];
};

static enum status
read_wish(struct req *req, struct wish *ret_wish)
{
	const struct json_field fields[] = {
		{"username", JSON_KIND_TEXT, true, &ret_wish->username},
		{"password", JSON_KIND_TEXT, true, &ret_wish->password},
		{"display_name", JSON_KIND_TEXT, false, &ret_wish->display_name},
		{"session", JSON_KIND_TEXT, false, &ret_wish->session},
		{"invite_code", JSON_KIND_TEXT, false, &ret_wish->invite_code},
	};

	return json_decode(req->body, fields, sizeof fields / sizeof fields[0], &req->arena, &req->fault);
}

/* Checks what the wish says about the person. The display name is by default the username as it was typed. */
static enum status
read_user(struct req *req, const struct wish *wish, struct user *ret_user)
{
	struct user user = {.role = "member", .created_at_ms = clock_wall_ms()};

	TRY(user_new_name_check(&req->arena, wish->username, &user.username, &user.username_key, &req->fault));
	if (wish->display_name)
		TRY(user_display_name_check(wish->display_name, &req->fault));
	user.display_name = wish->display_name;
	if (!user.display_name)
		user.display_name =
			user_display_name_check(wish->username, NULL) == OK ? wish->username : user.username;
	TRY(password_check(wish->password, "password", &req->fault));
	id_make(user.id);
	*ret_user = user;
	return OK;
}

/* Before a password is hashed for somebody who may not sign up; the writer asks again. */
static enum status
check_admission(struct req *req, struct wish *wish)
{
	const char *mode;
	char invite_id[ID_SIZE];
	struct db *db;
	enum status status;

	TRY(admin_sign_up(req, &mode));
	if (strcmp(mode, "closed") == 0)
		return req_fail(req, ERR_FORBIDDEN, "sign_up_closed", "This server takes no new accounts by itself.");
	if (!wish->invite_code && strcmp(mode, "invite") == 0)
		return fault_set(&req->fault, ERR_FORBIDDEN, "invite_required", "invite_code",
				 "Signing up here takes an invite: ask an administrator for a code.");
	if (!wish->invite_code)
		return OK;
	id_hash_secret(wish->invite_code, strlen(wish->invite_code), wish->invite_hash);
	TRY(req_db(req, &db));
	status = invites_find_open(db, wish->invite_hash, clock_wall_ms(), invite_id);
	if (status == ERR_NOT_FOUND)
		return fault_set(&req->fault, ERR_FORBIDDEN, "invite_invalid", "invite_code",
				 "This invite has been used, has expired or never was: ask for another one.");
	return status;
}

static enum status
store(struct req *req, const struct wish *wish, const struct grant *grant, struct write_sign_up *write)
{
	char hash[PASSWORD_HASH_SIZE];

	TRY(password_hash(req->app->passwords, wish->password, hash, &req->fault));
	write->password_hash = hash;
	write->sign_up = req->app->config->auth_sign_up;
	write->invite_hash = wish->invite_code ? wish->invite_hash : NULL;
	write->address = limit_address(req);
	write->request_id = req->request_id;
	grant_session(req, grant, write->user.id, &write->session);

	enum status status = writer_run(req->app->writer, &write->op);
	write->password_hash = NULL;
	req->fault = write->op.fault;
	return status;
}

enum status
op_sign_up(struct req *req)
{
	struct write_sign_up write = {.op.kind = WRITE_SIGN_UP};
	struct wish wish = {0};
	struct grant grant;

	TRY(read_wish(req, &wish));
	TRY(check_admission(req, &wish));
	TRY(grant_begin(req, wish.session, &grant));
	TRY(read_user(req, &wish, &write.user));

	enum status status = store(req, &wish, &grant, &write);
	if (status == OK) {
		req_add_header(req, "Location", "/api/v1/users/me");
		status = grant_reply(req, 201, &grant, &write.user, &write.session);
	}
	arena_finish(&write.op.arena);
	return status;
}
