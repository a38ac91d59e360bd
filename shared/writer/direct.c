/* Direct conversations, made by their first message (send_message.c) or on request. */
#include "store/conversations.h"
#include "store/users.h"
#include "writer/batch.h"

enum status
direct_find_person(struct batch *batch, const char *user_id, bool *ret_active)
{
	struct user user;
	struct fault fault = {0};
	enum status status = users_get(batch->db, &batch->arena, user_id, &user, &fault);

	*ret_active = status == OK && !user.disabled_at_ms && !user.deleted_at_ms;
	return batch_is_refusal(status, &fault) ? OK : status;
}

enum status
direct_announce(struct batch *batch, const char *conversation_id, const char *any_member_id)
{
	struct conversation first, item;
	struct event event;
	struct fault fault = {0};

	TRY(conversations_get(batch->db, &batch->arena, conversation_id, any_member_id, &first, &fault));
	event_member_joined(&batch->arena, conversation_id, first.member_rev, first.members, first.n_members, &event);
	batch_announce(batch, &event);
	for (size_t i = 0; i < first.n_members; i++) {
		const char *user_id = first.members[i].user_id;

		TRY(conversations_get(batch->db, &batch->arena, conversation_id, user_id, &item, &fault));
		event_conversation_created(&batch->arena, user_id, item.member_user_rev, &item, &event);
		batch_announce(batch, &event);
	}
	return OK;
}

enum status
direct_run(struct batch *batch, struct write_op *op)
{
	struct write_direct *write = (struct write_direct *)op; /* op is its first member */
	struct fault fault = {0};
	char other_id[ID_SIZE];
	bool open;

	write->created = false;
	TRY(batch_check_session(batch, op, write->session_id, write->user_id));
	if (op->status != OK)
		return OK;

	enum status status = conversations_membership(batch->db, op->conversation_id, write->user_id, other_id, &fault);
	if (!batch_is_refusal(status, &fault))
		return status; /* it is there */
	TRY(block_is_open(batch, write->other_id, write->user_id, &open));
	if (!open)
		return batch_refuse(op, ERR_NOT_FOUND, "user_not_found", "user_id",
				    "There is no such person, or they can't be written to.");
	status = conversations_ensure_direct(batch->db, op->conversation_id, write->user_id, write->other_id,
					     batch->now_ms, &write->created);
	if (status == ERR_NOT_FOUND)
		return batch_refuse(op, ERR_UNAUTHORIZED, "session_ended", NULL, "The account has ended.");
	TRY(status);
	return direct_announce(batch, op->conversation_id, write->user_id);
}

enum status
direct_find_users(struct batch *batch, struct write_op *op, struct batch_users *users)
{
	const struct write_direct *write = (const struct write_direct *)op;

	batch_users_add(batch, users, write->user_id);
	batch_users_add(batch, users, write->other_id);
	return OK;
}
