/* Who may sign up: the switch that overrides auth.sign_up, invites, and the check that both make when somebody does. */
#include <string.h>

#include "json.h"
#include "store/invites.h"
#include "store/meta.h"
#include "writer/batch.h"

static enum status
set_sign_up(struct batch *batch, struct write_admission *write)
{
	char now[META_SIGN_UP_SIZE];

	if (!meta_sign_up_is_known(write->sign_up))
		return batch_refuse(&write->op, ERR_INVALID, "out_of_range", "sign_up",
				    "sign_up is open, invite, closed, or default for what auth.sign_up says.");
	TRY(meta_sign_up(batch->db, now));
	if (strcmp(now, write->sign_up) == 0)
		return OK;
	TRY(meta_set_sign_up(batch->db, write->sign_up));
	return administration_note(batch, &write->by, "settings.sign_up", NULL,
				   json_pack("{s:s, s:s}", "from", now, "to", write->sign_up));
}

static enum status
invite(struct batch *batch, struct write_admission *write)
{
	TRY(invites_insert(batch->db, &write->invite));
	return administration_note(batch, &write->by, "invite.created", write->invite.id,
				   json_pack("{s:s?}", "note", write->invite.note));
}

static enum status
revoke_invite(struct batch *batch, struct write_admission *write)
{
	bool changed;
	enum status status = invites_revoke(batch->db, write->invite.id, batch->now_ms, &changed);

	if (status == ERR_NOT_FOUND)
		return batch_refuse(&write->op, ERR_NOT_FOUND, "invite_not_found", NULL, "There is no such invite.");
	TRY(status);
	return changed ? administration_note(batch, &write->by, "invite.revoked", write->invite.id, NULL) : OK;
}

/* Who acts is locked, so that nobody takes the role from them before they are done. */
enum status
admission_find_users(struct batch *batch, struct write_op *op, struct batch_users *users)
{
	const struct write_admission *write = (const struct write_admission *)op;

	if (write->by.session_id[0])
		batch_users_add(batch, users, write->by.name);
	return OK;
}

enum status
admission_run(struct batch *batch, struct write_op *op)
{
	struct write_admission *write = (struct write_admission *)op;

	TRY(administration_check(batch, op, &write->by));
	if (op->status != OK)
		return OK;
	switch (write->act) {
	case ADMISSION_INVITE:
		return invite(batch, write);
	case ADMISSION_REVOKE:
		return revoke_invite(batch, write);
	case ADMISSION_SIGN_UP:
		return set_sign_up(batch, write);
	}
	return ERR_INTERNAL;
}

enum status
admission_check(struct batch *batch, struct write_sign_up *sign_up, char ret_invite_id[ID_SIZE])
{
	char set[META_SIGN_UP_SIZE];
	enum status status;

	ret_invite_id[0] = '\0';
	TRY(meta_sign_up(batch->db, set));
	const char *mode = strcmp(set, "default") == 0 && sign_up->sign_up ? sign_up->sign_up : set;
	if (strcmp(mode, "closed") == 0)
		return batch_refuse(&sign_up->op, ERR_FORBIDDEN, "sign_up_closed", NULL,
				    "This server takes no new accounts by itself.");
	if (!sign_up->invite_hash && strcmp(mode, "invite") == 0)
		return batch_refuse(&sign_up->op, ERR_FORBIDDEN, "invite_required", "invite_code",
				    "Signing up here takes an invite: ask an administrator for a code.");
	if (!sign_up->invite_hash)
		return OK;
	status = invites_find_open(batch->db, sign_up->invite_hash, batch->now_ms, ret_invite_id);
	if (status == ERR_NOT_FOUND)
		return batch_refuse(&sign_up->op, ERR_FORBIDDEN, "invite_invalid", "invite_code",
				    "This invite has been used, has expired or never was: ask for another one.");
	return status;
}
