/* What administrators and operators do to accounts: disable, enable, give a role, reset a password, delete. Each act and its row
 * in the audit are one transaction, and whoever must not log in any more loses all log-ins in it. */
#include <string.h>

#include "json.h"
#include "store/accounts.h"
#include "store/audit.h"
#include "store/sessions.h"
#include "store/users.h"
#include "writer/batch.h"

enum status
administration_check(struct batch *batch, struct write_op *op, const struct write_actor *by)
{
	struct fault fault = {0};
	struct caller caller;

	if (!by->session_id[0])
		return OK;
	TRY(batch_check_session(batch, op, by->session_id, by->name));
	if (op->status != OK)
		return OK;
	enum status status = sessions_check(batch->db, by->session_id, by->name, batch->now_ms, &caller, &fault);
	if (batch_is_refusal(status, &fault))
		return batch_refuse_with(op, &fault);
	TRY(status);
	if (strcmp(caller.role, "admin") != 0)
		return batch_refuse(op, ERR_FORBIDDEN, "admin_required", NULL,
				    "Only administrators of this server may do this: ask one.");
	return OK;
}

enum status
administration_note(struct batch *batch, const struct write_actor *by, const char *action, const char *target,
		    json_t *detail)
{
	struct audit_entry entry = {
		.at_ms = batch->now_ms,
		.actor = by->name,
		.action = action,
		.target = target,
		.address = by->address,
		.request_id = by->request_id,
	};
	CLEANUP_FREE char *text = json_to_text(detail ? detail : json_object(), NULL);

	id_make(entry.id);
	entry.detail = text;
	return audit_insert(batch->db, &entry);
}

/* Refuses when nobody could administer the server any more. */
static enum status
keep_an_admin(struct batch *batch, struct write_administer *write)
{
	const struct user *user = &write->user;
	bool other = true;

	if (strcmp(user->role, "admin") == 0 && !user->disabled_at_ms)
		TRY(accounts_has_other_admin(batch->db, user->id, &other));
	if (!other)
		return batch_refuse(&write->op, ERR_CONFLICT, "last_admin", NULL,
				    "This is the last administrator who can log in: make somebody else one first.");
	return OK;
}

static enum status
set_disabled(struct batch *batch, struct write_administer *write)
{
	struct user *user = &write->user;

	if (write->disabled == (user->disabled_at_ms != 0))
		return OK;
	user->disabled_at_ms = write->disabled ? batch->now_ms : 0;
	TRY(accounts_set_disabled(batch->db, user->id, user->disabled_at_ms));
	if (write->disabled)
		TRY(accounts_end_sessions(batch, user->id, ""));
	return administration_note(batch, &write->by, write->disabled ? "user.disabled" : "user.enabled", user->id,
				   NULL);
}

static enum status
set_role(struct batch *batch, struct write_administer *write)
{
	struct user *user = &write->user;
	json_t *detail;

	if (strcmp(write->role, user->role) == 0)
		return OK;
	detail = json_pack("{s:s, s:s}", "from", user->role, "to", write->role);
	user->role = write->role;
	TRY(accounts_set_role(batch->db, user->id, write->role));
	return administration_note(batch, &write->by, "user.role_changed", user->id, detail);
}

static enum status
update(struct batch *batch, struct write_administer *write)
{
	bool weakens = (write->set_disabled && write->disabled) || (write->role && strcmp(write->role, "admin") != 0);

	if (weakens)
		TRY(keep_an_admin(batch, write));
	if (write->op.status != OK)
		return OK;
	if (write->set_disabled)
		TRY(set_disabled(batch, write));
	return write->role ? set_role(batch, write) : OK;
}

static enum status
reset(struct batch *batch, struct write_administer *write)
{
	write->user.must_change_password = true;
	write->at_ms = batch->now_ms;
	TRY(accounts_reset_password(batch->db, write->user.id, write->password_hash));
	TRY(accounts_end_sessions(batch, write->user.id, ""));
	return administration_note(batch, &write->by, "user.password_reset", write->user.id, NULL);
}

static enum status
is_verified(struct batch *batch, struct write_administer *write, bool *ret_verified)
{
	const char *hash = NULL;
	enum status status;

	*ret_verified = true;
	if (!write->verified_hash)
		return OK;
	status = users_password_hash(batch->db, &batch->arena, write->user.id, &hash);
	*ret_verified = hash && strcmp(hash, write->verified_hash) == 0;
	return status == ERR_NOT_FOUND ? OK : status;
}

static enum status
delete_user(struct batch *batch, struct write_administer *write)
{
	struct event event;
	bool verified;

	TRY(is_verified(batch, write, &verified));
	if (!verified)
		return batch_refuse(&write->op, ERR_CONFLICT, "password_changed", NULL,
				    "The password was changed at the same time; enter the current one again.");
	TRY(keep_an_admin(batch, write));
	if (write->op.status != OK)
		return OK;
	TRY(accounts_end_sessions(batch, write->user.id, ""));
	TRY(accounts_erase(batch->db, write->user.id, batch->now_ms));
	write->user.username = "deleted";
	write->user.display_name = "deleted user";
	event_user_updated(&batch->arena, &write->user, &event);
	batch_announce(batch, &event);
	return administration_note(batch, &write->by, "user.deleted", write->user.id, NULL);
}

/* Somebody may delete themselves without being an administrator. */
static enum status
check_actor(struct batch *batch, struct write_administer *write)
{
	if (write->act == ADMINISTER_DELETE && write->verified_hash)
		return batch_check_session(batch, &write->op, write->by.session_id, write->user_id);
	return administration_check(batch, &write->op, &write->by);
}

enum status
administration_run(struct batch *batch, struct write_op *op)
{
	struct write_administer *write = (struct write_administer *)op;
	struct fault fault = {0};

	TRY(check_actor(batch, write));
	if (op->status != OK)
		return OK;
	enum status status = accounts_get(batch->db, &op->arena, write->user_id, &write->user, &fault);
	if (batch_is_refusal(status, &fault))
		return batch_refuse_with(op, &fault);
	TRY(status);
	if (write->user.deleted_at_ms && write->act == ADMINISTER_DELETE)
		return OK; /* again, because what follows was broken off */
	if (write->user.deleted_at_ms)
		return batch_refuse(op, ERR_NOT_FOUND, "user_not_found", NULL, "This account was deleted.");
	switch (write->act) {
	case ADMINISTER_UPDATE:
		return update(batch, write);
	case ADMINISTER_RESET:
		return reset(batch, write);
	case ADMINISTER_DELETE:
		return delete_user(batch, write);
	}
	return ERR_INTERNAL;
}

/* All who administer are locked too, so that two of them cannot take the role from each other at once. */
enum status
administration_find_users(struct batch *batch, struct write_op *op, struct batch_users *users)
{
	char(*ids)[ID_SIZE];
	size_t n;

	batch_users_add(batch, users, ((struct write_administer *)op)->user_id);
	TRY(accounts_active_admins(batch->db, &batch->arena, &ids, &n));
	for (size_t i = 0; i < n; i++)
		batch_users_add(batch, users, ids[i]);
	return OK;
}
