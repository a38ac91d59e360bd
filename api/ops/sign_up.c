/* POST /api/v1/auth/signup: make an account and log in with it. The first person becomes the administrator. */
#include <string.h>

#include "base/clock.h"
#include "grant.h"
#include "json.h"
#include "ops.gen.h"
#include "req.h"

struct wish {
	const char *username;
	const char *password;
	const char *display_name;
	const char *session;
};

static enum status
read_wish(struct req *req, struct wish *ret_wish)
{
	const struct json_field fields[] = {
		{"username", JSON_KIND_TEXT, true, &ret_wish->username},
		{"password", JSON_KIND_TEXT, true, &ret_wish->password},
		{"display_name", JSON_KIND_TEXT, false, &ret_wish->display_name},
		{"session", JSON_KIND_TEXT, false, &ret_wish->session},
	};

	return json_decode(req->body, fields, sizeof fields / sizeof fields[0], &req->arena, &req->fault);
}

/* Checks what the wish says about the person. The display name is by default the username as it was typed. */
static enum status
read_user(struct req *req, const struct wish *wish, struct user *ret_user)
{
	struct user user = {.role = "member", .created_at_ms = clock_wall_ms()};

	TRY(user_name_check(&req->arena, wish->username, &user.username, &user.username_key, &req->fault));
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

static enum status
store(struct req *req, const struct wish *wish, const struct grant *grant, struct write_sign_up *write)
{
	char hash[PASSWORD_HASH_SIZE];

	TRY(password_hash(req->app->passwords, wish->password, hash, &req->fault));
	write->password_hash = hash;
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

	if (!req->app->config->auth_sign_up)
		return req_fail(req, ERR_FORBIDDEN, "sign_up_closed", "This server takes no new accounts by itself.");
	TRY(read_wish(req, &wish));
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
