/* stonechat admin: accounts. */
#include <stdio.h>
#include <string.h>

#include "admin.h"
#include "base/clock.h"
#include "base/text.h"
#include "password.h"
#include "store/accounts.h"
#include "store/audit.h"

enum { LIST_PAGE = 200, SHOWN_ACTS = 10 };

enum status
admin_find_user(struct admin *admin, const char *who, struct user *ret_user)
{
	const char *username, *key;
	char id[ID_SIZE];
	enum status status = ERR_NOT_FOUND;

	if (id_normalize(who, id))
		status = accounts_get(admin->db, &admin->arena, id, ret_user, NULL);
	else if (user_name_check(&admin->arena, who, &username, &key, NULL) == OK)
		status = accounts_find(admin->db, &admin->arena, key, ret_user);
	if (status == ERR_NOT_FOUND)
		return fault_set(&admin->fault, ERR_NOT_FOUND, "user_not_found", NULL,
				 "There is nobody called %.80s: `stonechat admin list` shows who there is.", who);
	return status;
}

static const char *
state_of(const struct user *user)
{
	return user->deleted_at_ms ? "deleted" : user->disabled_at_ms ? "disabled" : "active";
}

static void
print_user(struct admin *admin, const struct user *user)
{
	if (admin->json)
		admin_print_json(account_to_json(user));
	else
		printf("%s  %-32s %-6s %-8s %s\n", user->id, user->username, user->role, state_of(user),
		       user->display_name);
}

enum status
admin_list(struct admin *admin)
{
	struct accounts_filter filter = {"", admin->state ? admin->state : "all"};
	const char *after = "";
	int64_t left = admin->limit ? admin->limit : INT64_MAX;
	bool more = true;

	if (admin->argument)
		filter.prefix = text_fold(&admin->arena, admin->argument);
	if (!accounts_state_is_known(filter.state))
		return fault_set(&admin->fault, ERR_INVALID, "state", NULL,
				 "--state is all, active, disabled or deleted.");
	while (more && left > 0) {
		CLEANUP(arena_finish) struct arena page = {0};
		struct user *users;
		size_t n;

		TRY(accounts_list(admin->db, &page, &filter, after, left < LIST_PAGE ? left : LIST_PAGE, &users, &n,
				  &more));
		for (size_t i = 0; i < n; i++)
			print_user(admin, &users[i]);
		left -= (int64_t)n;
		if (more)
			after = arena_strdup(&admin->arena, users[n - 1].username_key);
	}
	return OK;
}

enum status
admin_show(struct admin *admin)
{
	struct audit_filter filter = {"", "", NULL};
	struct audit_entry *entries;
	struct user user;
	size_t n;
	bool more;

	TRY(admin_find_user(admin, admin->argument, &user));
	print_user(admin, &user);
	if (admin->json)
		return OK;
	printf("here since %s%s\n", admin_time(admin, user.created_at_ms),
	       user.must_change_password ? "; has a one-time password" : "");
	filter.target = user.id;
	TRY(audit_list(admin->db, &admin->arena, &filter, NULL, SHOWN_ACTS, &entries, &n, &more));
	for (size_t i = 0; i < n; i++)
		printf("%s  %s by %s\n", admin_time(admin, entries[i].at_ms), entries[i].action, entries[i].actor);
	return OK;
}

/* Finds the person and runs the act; prints them as they are now. */
static enum status
administer(struct admin *admin, struct write_administer *write)
{
	struct user user;
	enum status status;

	TRY(admin_find_user(admin, admin->argument, &user));
	write->op.kind = WRITE_ADMINISTER;
	write->by = admin->by;
	memcpy(write->user_id, user.id, ID_SIZE);
	status = admin_write(admin, &write->op);
	if (status == OK && write->act == ADMINISTER_UPDATE)
		print_user(admin, &write->user);
	arena_finish(&write->op.arena);
	return status;
}

enum status
admin_disable(struct admin *admin)
{
	return administer(admin, &(struct write_administer){.set_disabled = true, .disabled = true});
}

enum status
admin_enable(struct admin *admin)
{
	return administer(admin, &(struct write_administer){.set_disabled = true});
}

enum status
admin_grant(struct admin *admin)
{
	return administer(admin, &(struct write_administer){.role = "admin"});
}

enum status
admin_revoke_role(struct admin *admin)
{
	return administer(admin, &(struct write_administer){.role = "member"});
}

enum status
admin_reset_password(struct admin *admin)
{
	struct write_administer write = {.act = ADMINISTER_RESET};
	struct password_pool *pool = password_pool_create(1, 1);
	char password[ID_CODE_SIZE], hash[PASSWORD_HASH_SIZE], expires_at[CLOCK_TEXT_SIZE];

	id_make_code(password);
	enum status status = password_hash(pool, password, hash, &admin->fault);
	password_pool_destroy(pool);
	TRY(status);
	write.password_hash = hash;
	TRY(administer(admin, &write));
	int64_t expires_at_ms = write.at_ms + admin->config->auth_one_time_password_s * 1000;
	clock_format(expires_at_ms, expires_at);
	if (admin->json)
		admin_print_json(json_pack("{s:s, s:s, s:s}", "user_id", write.user_id, "password", password,
					   "expires_at", expires_at));
	else
		printf("%s\n", password);
	fprintf(stderr, "It is good for logging in until %s; another one has to be chosen first of all.\n",
		admin_time(admin, expires_at_ms));
	return OK;
}

enum status
admin_delete(struct admin *admin)
{
	struct write_administer write = {.act = ADMINISTER_DELETE};

	if (!admin->yes)
		return fault_set(&admin->fault, ERR_INVALID, "not_confirmed", NULL,
				 "This cannot be taken back: say --yes, or `stonechat admin disable %.80s`.",
				 admin->argument);
	TRY(administer(admin, &write));
	if (admin->json)
		admin_print_json(json_pack("{s:s, s:s}", "user_id", write.user_id, "state", "deleted"));
	else
		printf("%s is deleted\n", write.user_id);
	return OK;
}
