/* The read cursor of a person in a conversation: it only grows, and moving it is a change of the person's stream. */
#include "model/event.h"
#include "store/conversations.h"
#include "store/users.h"
#include "writer/batch.h"

enum status
mark_read_run(struct batch *batch, struct write_op *op)
{
	struct write_mark_read *write = (struct write_mark_read *)op; /* op is its first member */
	struct membership *membership = &write->membership;
	struct fault fault = {0};
	struct event event;
	int64_t last_seq;

	TRY(batch_check_session(batch, op, write->session_id, write->user_id));
	if (op->status != OK)
		return OK;

	enum status status = conversations_own_membership(batch->db, write->conversation_id, write->user_id, membership,
							  &last_seq, &fault);
	if (batch_is_refusal(status, &fault))
		return batch_refuse_with(op, &fault);
	TRY(status);
	if (write->seq < 0 || write->seq > last_seq)
		return batch_refuse(op, ERR_INVALID, "out_of_range", "seq",
				    "seq must be from 0 to the conversation's last_seq.");
	write->unchanged = write->seq <= membership->read_seq;
	if (write->unchanged)
		return OK;
	TRY(users_advance(batch->db, write->user_id, &membership->user_rev));
	membership->read_seq = write->seq;
	TRY(conversations_set_read(batch->db, write->conversation_id, write->user_id, write->seq,
				   membership->user_rev));
	event_read_updated(&batch->arena, write->user_id, membership->user_rev, membership, &event);
	batch_announce(batch, &event);
	return OK;
}

enum status
mark_read_find_users(struct batch *batch, struct write_op *op, struct batch_users *users)
{
	batch_users_add(batch, users, ((const struct write_mark_read *)op)->user_id);
	return OK;
}
