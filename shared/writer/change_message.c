/* Changing a message that is there: editing, deleting, reacting. Who may do it at all is asked first, then whether it has been
 * done already, so that a change repeated after a lost answer is answered like the first time; only then what forbids it now. */
#include <string.h>

#include "model/event.h"
#include "store/conversations.h"
#include "store/messages.h"
#include "store/reactions.h"
#include "writer/batch.h"

/* The message, for a member; else the operation is refused. */
static enum status
find_message(struct batch *batch, struct write_change_message *write)
{
	const struct message_change *change = &write->change;
	struct fault fault = {0};
	char other_id[ID_SIZE];
	bool open = true;
	enum status status =
		conversations_membership(batch->db, change->conversation_id, change->actor_id, other_id, &fault);

	if (batch_is_refusal(status, &fault))
		return batch_refuse_with(&write->op, &fault);
	TRY(status);
	status = messages_get(batch->db, &write->op.arena, change->conversation_id, change->message_id, &write->stored);
	if (status == ERR_NOT_FOUND)
		return batch_refuse(&write->op, ERR_NOT_FOUND, "message_not_found", NULL, "There is no such message.");
	TRY(status);
	if (other_id[0] && (change->action == MESSAGE_EDIT || change->action == MESSAGE_REACT))
		TRY(block_is_open(batch, other_id, change->actor_id, &open));
	if (!open) /* saying something by an edit or an emoji is writing too */
		return batch_refuse(&write->op, ERR_NOT_FOUND, "user_not_found", NULL,
				    "There is no such person, or they can't be written to.");
	return OK;
}

static bool
is_reaction(enum message_action action)
{
	return action == MESSAGE_REACT || action == MESSAGE_UNREACT;
}

/* Whether the message is already as it shall be. */
static enum status
is_done(struct batch *batch, const struct write_change_message *write, bool *ret_done)
{
	const struct message_change *change = &write->change;
	const struct message *message = &write->stored;
	bool has = false;

	if (is_reaction(change->action))
		TRY(reactions_has(batch->db, message, change->emoji, change->actor_id, &has));
	switch (change->action) {
	case MESSAGE_EDIT:
		*ret_done = message->content && strcmp(message->content, change->content) == 0;
		return OK;
	case MESSAGE_DELETE:
		*ret_done = message->deleted_at_ms != 0;
		return OK;
	case MESSAGE_REACT:
		*ret_done = has;
		return OK;
	case MESSAGE_UNREACT:
		*ret_done = !has;
		return OK;
	}
	return ERR_INTERNAL;
}

static bool
is_one_emoji_too_many(const struct message *message, const char *emoji)
{
	for (size_t i = 0; i < message->n_reactions; i++)
		if (strcmp(message->reactions[i].emoji, emoji) == 0)
			return false;
	return message->n_reactions >= REACTION_EMOJI_MAX;
}

/* What forbids a change that has not been made yet. */
static enum status
check(struct write_change_message *write)
{
	const struct message_change *change = &write->change;
	const struct message *message = &write->stored;

	if (message->deleted_at_ms)
		return batch_refuse(&write->op, ERR_CONFLICT, "message_deleted", NULL, "The message has been deleted.");
	if (change->if_match_rev != MESSAGE_ANY_REV && change->if_match_rev != message->rev)
		return batch_refuse(&write->op, ERR_PRECONDITION, "precondition_failed", NULL,
				    "The message has changed meanwhile: read it again.");
	if (change->action == MESSAGE_REACT && is_one_emoji_too_many(message, change->emoji))
		return batch_refuse(&write->op, ERR_INVALID, "too_many_reactions", "emoji",
				    "There are 20 different reactions on the message; only those can be given.");
	return OK;
}

static enum status
apply(struct batch *batch, struct write_change_message *write)
{
	const struct message_change *change = &write->change;
	struct message *message = &write->stored;
	int64_t last_seq;

	TRY(conversations_advance(batch->db, change->conversation_id, 0, 1, &last_seq, &message->rev));
	switch (change->action) {
	case MESSAGE_EDIT:
		message->content = change->content;
		message->edited_at_ms = batch->now_ms;
		break;
	case MESSAGE_DELETE:
		message->content = NULL;
		message->deleted_at_ms = batch->now_ms;
		TRY(reactions_delete(batch->db, message, NULL, NULL));
		break;
	case MESSAGE_REACT:
		TRY(reactions_insert(batch->db, message, change->emoji, change->actor_id, batch->now_ms));
		break;
	case MESSAGE_UNREACT:
		TRY(reactions_delete(batch->db, message, change->emoji, change->actor_id));
		break;
	}
	TRY(messages_update(batch->db, message));
	return reactions_attach(batch->db, &write->op.arena, message, 1);
}

static void
announce(struct batch *batch, const struct write_change_message *write)
{
	struct event event;

	if (is_reaction(write->change.action))
		event_reaction_updated(&batch->arena, &write->stored, &event);
	else if (write->change.action == MESSAGE_DELETE)
		event_message_deleted(&batch->arena, &write->stored, &event);
	else
		event_message_updated(&batch->arena, &write->stored, &event);
	batch_announce(batch, &event);
}

enum status
change_message_run(struct batch *batch, struct write_op *op)
{
	struct write_change_message *write = (struct write_change_message *)op; /* op is its first member */
	const struct message_change *change = &write->change;

	write->unchanged = false;
	TRY(batch_check_session(batch, op, change->session_id, change->actor_id));
	if (op->status == OK)
		TRY(find_message(batch, write));
	if (op->status != OK)
		return OK;
	if (!is_reaction(change->action) && strcmp(write->stored.sender_id, change->actor_id) != 0)
		return batch_refuse(op, ERR_FORBIDDEN, "not_sender", NULL, "Only who said it may change it.");
	TRY(is_done(batch, write, &write->unchanged));
	if (write->unchanged)
		return OK;
	TRY(check(write));
	if (op->status != OK)
		return OK;
	TRY(apply(batch, write));
	batch->n_changed++;
	announce(batch, write);
	return OK;
}
