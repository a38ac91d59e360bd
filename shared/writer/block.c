/* Blocking a person: from then on they can't write to the blocker, and are told what they would be told if the account were
 * disabled. What they said before stays. */
#include <string.h>

#include "model/event.h"
#include "store/blocks.h"
#include "store/users.h"
#include "writer/batch.h"

enum status
block_is_open(struct batch *batch, const char *user_id, const char *sender_id, bool *ret_open)
{
	bool active, blocked = false;

	TRY(direct_find_person(batch, user_id, &active));
	if (active)
		TRY(blocks_has(batch->db, user_id, sender_id, &blocked));
	*ret_open = active && !blocked;
	return OK;
}

static enum status
check_somebody(struct batch *batch, struct write_block *write)
{
	struct user user;
	struct fault fault = {0};
	enum status status = users_get(batch->db, &batch->arena, write->block.user_id, &user, &fault);

	if (status != OK && !batch_is_refusal(status, &fault))
		return status;
	/* Anybody can be unblocked, whatever has become of them. */
	if (status != OK || (write->block.blocked && (user.disabled_at_ms || user.deleted_at_ms)))
		return batch_refuse(&write->op, ERR_NOT_FOUND, "user_not_found", NULL, "There is no such person.");
	return OK;
}

static enum status
check(struct batch *batch, struct write_block *write)
{
	TRY(batch_check_session(batch, &write->op, write->session_id, write->user_id));
	if (write->op.status != OK)
		return OK;
	if (write->block.blocked && strcmp(write->user_id, write->block.user_id) == 0)
		return batch_refuse(&write->op, ERR_INVALID, "block_oneself", "user_id", "This is yourself.");
	return check_somebody(batch, write);
}

enum status
block_run(struct batch *batch, struct write_op *op)
{
	struct write_block *write = (struct write_block *)op; /* op is its first member */
	struct event event;
	bool blocked;

	TRY(check(batch, write));
	if (op->status != OK)
		return OK;
	TRY(blocks_has(batch->db, write->user_id, write->block.user_id, &blocked));
	if (blocked == write->block.blocked)
		return OK;
	TRY(users_advance(batch->db, write->user_id, &write->block.user_rev));
	TRY(blocks_set(batch->db, write->user_id, &write->block, batch->now_ms));
	event_block_updated(&batch->arena, write->user_id, &write->block, &event);
	batch_announce(batch, &event);
	return OK;
}

enum status
block_find_users(struct batch *batch, struct write_op *op, struct batch_users *users)
{
	batch_users_add(batch, users, ((const struct write_block *)op)->user_id);
	return OK;
}
