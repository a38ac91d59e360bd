/* Muting a conversation: how one person wants to hear of it, a change of their stream alone. */
#include "model/event.h"
#include "store/conversations.h"
#include "store/users.h"
#include "writer/batch.h"

enum status
mute_run(struct batch *batch, struct write_op *op)
{
	struct write_mute *write = (struct write_mute *)op; /* op is its first member */
	struct membership *membership = &write->membership;
	struct fault fault = {0};
	struct event event;

	TRY(batch_check_session(batch, op, write->session_id, write->user_id));
	if (op->status != OK)
		return OK;

	enum status status =
		conversations_own_membership(batch->db, write->conversation_id, write->user_id, membership, &fault);
	if (batch_is_refusal(status, &fault))
		return batch_refuse_with(op, &fault);
	TRY(status);
	if (membership->muted_until_ms == write->until_ms)
		return OK;
	TRY(users_advance(batch->db, write->user_id, &membership->user_rev));
	membership->muted_until_ms = write->until_ms;
	TRY(conversations_set_muted(batch->db, write->user_id, membership));
	event_conversation_settings(&batch->arena, write->user_id, membership, &event);
	batch_announce(batch, &event);
	return OK;
}

enum status
mute_find_users(struct batch *batch, struct write_op *op, struct batch_users *users)
{
	batch_users_add(batch, users, ((const struct write_mute *)op)->user_id);
	return OK;
}
