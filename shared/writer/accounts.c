/* Accounts and log-ins: signing up, and the life of a session from log-in over rotation to its end.
 *
 * A refresh token works once. The one before it is accepted as well (its answer may have been lost) until its successor has
 * been used and for at most SESSION_GRACE_MS; after that somebody else holds it, and the session ends. */
#include <stdio.h>
#include <string.h>

#include "model/event.h"
#include "store/access_tokens.h"
#include "store/accounts.h"
#include "store/invites.h"
#include "store/sessions.h"
#include "store/users.h"
#include "writer/batch.h"

static struct write_session *
to_session(struct write_op *op)
{
	return (struct write_session *)op; /* op is its first member */
}

static enum status
refuse_token(struct write_op *op)
{
	return batch_refuse(op, ERR_UNAUTHORIZED, "refresh_token_invalid", NULL,
			    "The refresh token is not valid; log in again.");
}

static enum status
refuse_ended(struct write_op *op)
{
	return batch_refuse(op, ERR_UNAUTHORIZED, "session_ended", NULL, "The session has ended; log in again.");
}

/* Whoever is the first has the role admin from the start. */
static enum status
note_role(struct batch *batch, const struct write_sign_up *sign_up)
{
	const struct user *user = &sign_up->user;
	const struct write_actor by = {user->id, "", sign_up->address, sign_up->request_id};

	if (strcmp(user->role, "admin") != 0)
		return OK;
	return administration_note(batch, &by, "user.role_changed", user->id,
				   json_pack("{s:s, s:s}", "from", "member", "to", user->role));
}

static enum status
sign_up(struct batch *batch, struct write_sign_up *sign_up)
{
	char invite_id[ID_SIZE];
	struct user taken;
	const char *password_hash;

	TRY(admission_check(batch, sign_up, invite_id));
	if (sign_up->op.status != OK)
		return OK;
	enum status status =
		users_get_by_name(batch->db, &sign_up->op.arena, sign_up->user.username_key, &taken, &password_hash);

	if (status == OK)
		return batch_refuse(&sign_up->op, ERR_CONFLICT, "username_taken", "username",
				    "Somebody else has this username, or one that looks like it.");
	if (status != ERR_NOT_FOUND)
		return status;
	TRY(users_insert(batch->db, &sign_up->user, sign_up->password_hash, &sign_up->op.fault));
	if (invite_id[0])
		TRY(invites_use(batch->db, invite_id, sign_up->user.id, batch->now_ms));
	TRY(note_role(batch, sign_up));
	return sessions_insert(batch->db, &sign_up->session);
}

/* *ret_active false: gone or disabled. */
static enum status
find_user(struct batch *batch, struct write_session *write, const char *user_id, bool *ret_active)
{
	struct fault fault = {0};
	enum status status = users_get(batch->db, &write->op.arena, user_id, &write->user, &fault);

	*ret_active = status == OK && !write->user.disabled_at_ms && !write->user.deleted_at_ms;
	return batch_is_refusal(status, &fault) ? OK : status;
}

/* Whether the person's password still is the one that was verified before the operation was queued. */
static enum status
is_current_password(struct batch *batch, const char *user_id, const char *verified_hash, bool *ret_current)
{
	const char *hash = NULL;
	enum status status = users_password_hash(batch->db, &batch->arena, user_id, &hash);

	*ret_current = hash && strcmp(hash, verified_hash) == 0;
	return status == ERR_NOT_FOUND ? OK : status;
}

static enum status
create_session(struct batch *batch, struct write_session *write)
{
	bool active, current = true;

	TRY(find_user(batch, write, write->session.user_id, &active));
	if (!active)
		return batch_refuse(&write->op, ERR_UNAUTHORIZED, "account_disabled", NULL,
				    "The account is disabled; ask whoever runs this server.");
	if (write->verified_hash)
		TRY(is_current_password(batch, write->session.user_id, write->verified_hash, &current));
	if (!current)
		return batch_refuse(&write->op, ERR_UNAUTHORIZED, "password_changed", NULL,
				    "The password was changed at the same time; log in with the new one.");
	return sessions_insert(batch->db, &write->session);
}

/* Marks the session revoked in the person's stream and tells its sockets. */
static enum status
end_session(struct batch *batch, const char *session_id, const char *user_id)
{
	struct event event;
	int64_t rev;
	bool changed;

	TRY(users_advance(batch->db, user_id, &rev));
	TRY(sessions_revoke(batch->db, session_id, user_id, rev, batch->now_ms, &changed));
	batch->live_session_id = NULL;
	event_session_revoked(&batch->arena, user_id, rev, session_id, &event);
	batch_announce(batch, &event);
	return OK;
}

enum status
accounts_end_sessions(struct batch *batch, const char *user_id, const char *except_id)
{
	char(*ids)[ID_SIZE];
	size_t n;

	TRY(accounts_live_sessions(batch->db, &batch->arena, user_id, batch->now_ms, &ids, &n));
	for (size_t i = 0; i < n; i++)
		if (strcmp(ids[i], except_id) != 0)
			TRY(end_session(batch, ids[i], user_id));
	return OK;
}

static enum status
revoke_session(struct batch *batch, struct write_session *write)
{
	struct caller caller;
	struct fault fault = {0};
	enum status status =
		sessions_check(batch->db, write->session.id, write->session.user_id, batch->now_ms, &caller, &fault);

	if (batch_is_refusal(status, &fault))
		return OK; /* it has ended already */
	TRY(status);
	return end_session(batch, write->session.id, write->session.user_id);
}

static enum status
end_other_devices(struct batch *batch, const char *session_id, const char *user_id)
{
	struct login_session *sessions;
	size_t n;
	bool more;

	TRY(sessions_list(batch->db, &batch->arena, user_id, batch->now_ms, INT64_MAX, "", INT32_MAX, &sessions, &n,
			  &more));
	for (size_t i = 0; i < n; i++)
		if (strcmp(sessions[i].id, session_id) != 0)
			TRY(end_session(batch, sessions[i].id, user_id));
	return OK;
}

static enum status
revoke_others(struct batch *batch, struct write_session *write)
{
	TRY(batch_check_session(batch, &write->op, write->session.id, write->session.user_id));
	return write->op.status == OK ? end_other_devices(batch, write->session.id, write->session.user_id) : OK;
}

static enum status
rotate_session(struct batch *batch, struct write_session *write)
{
	struct login_session row;
	bool active;
	enum status status = sessions_get_by_family(batch->db, &write->op.arena, write->session.family_hash, &row);

	if (status == ERR_NOT_FOUND)
		return refuse_token(&write->op);
	TRY(status);
	TRY(find_user(batch, write, row.user_id, &active));
	if (!active || row.revoked_at_ms || row.expires_at_ms <= batch->now_ms)
		return refuse_ended(&write->op);

	bool is_current = strcmp(row.refresh_hash, write->presented_hash) == 0;
	bool is_previous = !is_current && strcmp(row.previous_hash, write->presented_hash) == 0;
	bool is_graced = is_previous && batch->now_ms - row.rotated_at_ms <= SESSION_GRACE_MS;
	if (!is_current && !is_graced) {
		batch_refuse(&write->op, ERR_UNAUTHORIZED, "refresh_token_reused", NULL,
			     "This refresh token was used before; the session has been ended.");
		return end_session(batch, row.id, row.user_id);
	}

	/* A repetition keeps the time of the first rotation: the grace is not renewed by using it. */
	int64_t rotated_at_ms = is_previous ? row.rotated_at_ms : batch->now_ms;
	TRY(sessions_rotate(batch->db, row.id, write->session.refresh_hash, write->presented_hash, rotated_at_ms));
	snprintf(row.previous_hash, sizeof row.previous_hash, "%s", write->presented_hash);
	memcpy(row.refresh_hash, write->session.refresh_hash, ID_SECRET_SIZE);
	row.rotated_at_ms = rotated_at_ms;
	row.last_used_at_ms = rotated_at_ms;
	write->session = row;
	return OK;
}

static enum status
update_user(struct batch *batch, struct write_user *write)
{
	struct fault fault = {0};

	TRY(batch_check_session(batch, &write->op, write->session_id, write->user_id));
	if (write->op.status != OK)
		return OK;
	TRY(users_set_display_name(batch->db, write->user_id, write->display_name));
	enum status status = users_get(batch->db, &write->op.arena, write->user_id, &write->user, &fault);
	struct event event;

	if (batch_is_refusal(status, &fault))
		return refuse_ended(&write->op);
	TRY(status);
	event_user_updated(&batch->arena, &write->user, &event);
	batch_announce(batch, &event);
	return OK;
}

/* Whoever knew the old password has no session any more, and no token that they made while they knew it. */
static enum status
change_password(struct batch *batch, struct write_password *write)
{
	bool current;

	TRY(batch_check_session(batch, &write->op, write->session_id, write->user_id));
	if (write->op.status != OK)
		return OK;
	TRY(is_current_password(batch, write->user_id, write->verified_hash, &current));
	if (!current)
		return batch_refuse(
			&write->op, ERR_CONFLICT, "password_changed", NULL,
			"The password was changed at the same time on another device; enter the current one again.");
	TRY(users_set_password(batch->db, write->user_id, write->new_hash));
	return accounts_end_sessions(batch, write->user_id, write->session_id);
}

enum status
accounts_run(struct batch *batch, struct write_op *op)
{
	switch (op->kind) {
	case WRITE_SIGN_UP:
		return sign_up(batch, (struct write_sign_up *)op);
	case WRITE_CREATE_SESSION:
		return create_session(batch, to_session(op));
	case WRITE_ROTATE_SESSION:
		return rotate_session(batch, to_session(op));
	case WRITE_REVOKE_SESSION:
		return revoke_session(batch, to_session(op));
	case WRITE_REVOKE_OTHERS:
		return revoke_others(batch, to_session(op));
	case WRITE_UPDATE_USER:
		return update_user(batch, (struct write_user *)op);
	case WRITE_PASSWORD:
		return change_password(batch, (struct write_password *)op);
	case WRITE_SEND_MESSAGE:
	case WRITE_CHANGE_MESSAGE:
	case WRITE_ENSURE_DIRECT:
	case WRITE_MARK_READ:
	case WRITE_CONNECTIONS:
	case WRITE_CREATE_TOKEN:
	case WRITE_USE_TOKEN:
	case WRITE_GROUP:
	case WRITE_ADMINISTER:
	case WRITE_ADMISSION:
	case WRITE_BLOCK:
	case WRITE_MUTE:
	case WRITE__MAX:
		break;
	}
	return ERR_INTERNAL;
}

enum status
accounts_find_users(struct batch *batch, struct write_op *op, struct batch_users *users)
{
	if (op->kind == WRITE_CREATE_SESSION || op->kind == WRITE_REVOKE_SESSION || op->kind == WRITE_REVOKE_OTHERS)
		batch_users_add(batch, users, to_session(op)->session.user_id);
	if (op->kind == WRITE_UPDATE_USER)
		batch_users_add(batch, users, ((struct write_user *)op)->user_id);
	if (op->kind == WRITE_PASSWORD)
		batch_users_add(batch, users, ((struct write_password *)op)->user_id);
	if (op->kind != WRITE_ROTATE_SESSION)
		return OK;

	struct login_session *row = arena_alloc(&batch->arena, sizeof *row);
	enum status status = sessions_get_by_family(batch->db, &batch->arena, to_session(op)->session.family_hash, row);
	if (status == OK)
		batch_users_add(batch, users, row->user_id);
	return status == ERR_NOT_FOUND ? OK : status;
}
