/* The cursors of a person in a conversation, which only grow. Moving the read one is a change of the person's stream; of the
 * delivered one, and to the conversation's others, only a record that passes tells, and not in a large conversation. */
#include "model/event.h"
#include "store/conversations.h"
#include "store/users.h"
#include "writer/batch.h"

static int64_t
max_int64(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void
announce_to_others(struct batch *batch, enum event_cursor cursor, const struct write_mark_read *write)
{
	struct event event;

	if (write->membership.member_count > CONVERSATION_CLOSE_MAX)
		return;
	event_cursor_moved(&batch->arena, cursor, write->user_id, &write->membership, &event);
	batch_announce(batch, &event);
}

/* What is read has been delivered too. */
static enum status
move_read(struct batch *batch, struct write_mark_read *write)
{
	struct membership *membership = &write->membership;
	struct event event;

	TRY(users_advance(batch->db, write->user_id, &membership->user_rev));
	membership->read_seq = write->seq;
	membership->delivered_seq = max_int64(membership->delivered_seq, max_int64(write->seq, write->delivered_seq));
	TRY(conversations_set_read(batch->db, write->user_id, membership));
	event_read_updated(&batch->arena, write->user_id, membership->user_rev, membership, &event);
	batch_announce(batch, &event);
	announce_to_others(batch, EVENT_CURSOR_READ, write);
	return OK;
}

static enum status
move_delivered(struct batch *batch, struct write_mark_read *write)
{
	write->membership.delivered_seq = write->delivered_seq;
	TRY(conversations_set_delivered(batch->db, write->user_id, &write->membership));
	announce_to_others(batch, EVENT_CURSOR_DELIVERED, write);
	return OK;
}

enum status
mark_read_run(struct batch *batch, struct write_op *op)
{
	struct write_mark_read *write = (struct write_mark_read *)op; /* op is its first member */
	struct membership *membership = &write->membership;
	struct fault fault = {0};

	TRY(batch_check_session(batch, op, write->session_id, write->user_id));
	if (op->status != OK)
		return OK;

	enum status status =
		conversations_own_membership(batch->db, write->conversation_id, write->user_id, membership, &fault);
	if (batch_is_refusal(status, &fault))
		return batch_refuse_with(op, &fault);
	TRY(status);
	if (write->seq < 0 || max_int64(write->seq, write->delivered_seq) > membership->last_seq)
		return batch_refuse(op, ERR_INVALID, "out_of_range", "seq",
				    "seq must be from 0 to the conversation's last_seq.");
	write->unchanged = write->seq <= membership->read_seq;
	if (!write->unchanged)
		return move_read(batch, write);
	if (write->delivered_seq > membership->delivered_seq && membership->member_count <= CONVERSATION_CLOSE_MAX)
		return move_delivered(batch, write);
	return OK;
}

enum status
mark_read_find_users(struct batch *batch, struct write_op *op, struct batch_users *users)
{
	const struct write_mark_read *write = (const struct write_mark_read *)op;

	if (write->seq > 0)
		batch_users_add(batch, users, write->user_id);
	return OK;
}
