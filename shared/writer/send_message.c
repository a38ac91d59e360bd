/* Sending messages, many in one step: for the whole run one question which of them pass every check (nearly all do; the others
 * are looked at one by one, in order), one advance of all counters, and one insert.
 *
 * An id decides before anything else: what was accepted once is answered with its row for ever, whatever has become of the
 * people since. Two sends of one id in the same run are a message and its replay. A direct conversation is made by its
 * first message that passes all checks. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define uthash_fatal(message) abort()
#include <uthash.h>

#include "model/event.h"
#include "store/conversations.h"
#include "store/messages.h"
#include "store/sending.h"
#include "writer/batch.h"

/* A message that passed in this transaction, found by its id. */
struct accepted {
	struct write_send_message *send;
	UT_hash_handle hh;
};

/* The sends to one conversation. */
struct group {
	struct batch *batch;
	const char *conversation_id;
	struct write_op **ops;
	struct sending_check *checks; /* one per operation */
	size_t n_ops;

	struct accepted **accepted; /* in order */
	size_t n_accepted;
	struct accepted *by_id;
	struct accepted **twin_of; /* per operation: the message that it repeats, or NULL */
	bool created;              /* the conversation, in this transaction */

	bool numbers_known; /* of the conversation, before any of them */
	int64_t last_seq, last_rev;

	const char *member_id; /* the last sender found to be a member, for a sender's run of messages; or NULL */
	struct conversation_sender sender; /* that member; other_id "": a group */
	const char *open_to;               /* the last sender found to be let in by the other one; or NULL */
};

static struct write_send_message *
to_send(struct write_op *op)
{
	return (struct write_send_message *)op; /* op is its first member */
}

/* *ret_member false and *ret_fault filled: there is no such conversation for this person. */
static enum status
find_membership(struct group *group, const char *user_id, bool *ret_member, struct fault *ret_fault)
{
	*ret_member = true;
	if (group->member_id && strcmp(group->member_id, user_id) == 0)
		return OK;

	enum status status =
		conversations_sender(group->batch->db, group->conversation_id, user_id, &group->sender, ret_fault);
	group->member_id = status == OK ? user_id : NULL;
	if (status == OK || !batch_is_refusal(status, ret_fault))
		return status;
	*ret_member = false;
	return OK;
}

/* Whether the id is taken, and if so whether by the same message: then the send is its replay, else it is refused. */
static enum status
settle_id(struct group *group, struct write_send_message *send, struct accepted **ret_twin, bool *ret_settled)
{
	const char *digest;
	struct message row;

	HASH_FIND_STR(group->by_id, send->draft.id, *ret_twin);
	*ret_settled = true;
	if (*ret_twin) {
		digest = (*ret_twin)->send->stored.digest;
	} else {
		enum status status =
			messages_get(group->batch->db, &send->op.arena, group->conversation_id, send->draft.id, &row);
		*ret_settled = status == OK;
		if (status != OK)
			return status == ERR_NOT_FOUND ? OK : status;
		digest = row.digest;
	}
	if (strcmp(digest, send->draft.digest) != 0) {
		*ret_twin = NULL;
		return batch_refuse(
			&send->op, ERR_CONFLICT, "id_reused", send->draft.id_key,
			"This id belongs to another message of the conversation; choose a new one for a new message.");
	}
	send->replayed = true;
	if (!*ret_twin)
		send->stored = row;
	return OK;
}

static enum status
check_reply(struct group *group, struct write_send_message *send)
{
	const char *reply_to_id = send->draft.reply_to_id;
	struct accepted *accepted;
	struct message row;

	if (!reply_to_id[0])
		return OK;
	HASH_FIND_STR(group->by_id, reply_to_id, accepted);
	if (accepted)
		return OK;

	enum status status =
		messages_get(group->batch->db, &group->batch->arena, group->conversation_id, reply_to_id, &row);
	if (status != ERR_NOT_FOUND)
		return status;
	return batch_refuse(&send->op, ERR_INVALID, "reply_not_found", "reply_to_id",
			    "The message to reply to is not in this conversation.");
}

static enum status
check_recipient(struct group *group, struct write_send_message *send)
{
	const struct message_draft *draft = &send->draft;
	const char *other_id = draft->recipient_id[0] ? draft->recipient_id : group->sender.other_id;
	bool open;

	if (!other_id[0] || (group->open_to && strcmp(group->open_to, draft->sender_id) == 0))
		return OK;
	TRY(block_is_open(group->batch, other_id, draft->sender_id, &open));
	if (!open)
		return batch_refuse(&send->op, ERR_NOT_FOUND, "user_not_found",
				    draft->recipient_id[0] ? "recipient_id" : NULL,
				    "There is no such person, or they can't be written to.");
	group->open_to = draft->sender_id;
	return OK;
}

/* The last step before a message passes: nothing is refused after it. */
static enum status
make_conversation(struct group *group, struct write_send_message *send)
{
	const struct message_draft *draft = &send->draft;
	bool created = false, active;

	TRY(direct_find_person(group->batch, draft->sender_id, &active));
	if (!active)
		return batch_refuse(&send->op, ERR_UNAUTHORIZED, "session_ended", NULL,
				    "The sender's account has ended.");
	TRY(conversations_ensure_direct(group->batch->db, group->conversation_id, draft->sender_id, draft->recipient_id,
					group->batch->now_ms, &created));
	group->created = group->created || created;
	group->member_id = draft->sender_id;
	group->sender = (struct conversation_sender){0};
	memcpy(group->sender.other_id, draft->recipient_id, ID_SIZE);
	return OK;
}

/* One message per slow_mode_s and member; as exact as the transaction. A clock that was set back makes nobody wait longer. */
static enum status
check_pace(struct group *group, struct write_send_message *send)
{
	const struct conversation_sender *sender = &group->sender;
	int64_t passed_ms = group->batch->now_ms - sender->last_sent_ms;
	int64_t wait_ms = sender->slow_mode_ms - (passed_ms > 0 ? passed_ms : 0);

	if (sender->slow_mode_ms == 0 || sender->last_sent_ms == 0 || wait_ms <= 0)
		return OK;
	batch_refuse(&send->op, ERR_RATE_LIMITED, "slow_mode", NULL,
		     "Slow mode is on in this conversation: wait a little before the next message.");
	send->op.fault.retry_after_ms = wait_ms;
	return OK;
}

static enum status
keep_pace(struct group *group)
{
	if (group->sender.slow_mode_ms == 0)
		return OK;
	group->sender.last_sent_ms = group->batch->now_ms;
	return conversations_set_last_sent(group->batch->db, group->conversation_id, group->member_id,
					   group->batch->now_ms);
}

static void
accept_send(struct group *group, struct write_send_message *send)
{
	const struct message_draft *draft = &send->draft;
	struct accepted *accepted = arena_alloc(&group->batch->arena, sizeof *accepted);
	struct message *stored = &send->stored;

	*stored = (struct message){
		.content = draft->content,
		.timestamp_ms = group->batch->now_ms,
	};
	memcpy(stored->id, draft->id, ID_SIZE);
	memcpy(stored->conversation_id, group->conversation_id, ID_SIZE);
	memcpy(stored->sender_id, draft->sender_id, ID_SIZE);
	memcpy(stored->recipient_id, group->sender.other_id, ID_SIZE);
	memcpy(stored->reply_to_id, draft->reply_to_id, ID_SIZE);
	memcpy(stored->digest, draft->digest, ID_DIGEST_SIZE);
	accepted->send = send;
	group->accepted[group->n_accepted++] = accepted;
	HASH_ADD_KEYPTR(hh, group->by_id, stored->id, strlen(stored->id), accepted);
}

/* Whether the send is one that passed with all others: then only what this run itself has changed remains to be asked. */
static bool
passes(struct group *group, const struct write_send_message *send, const struct sending_check *check)
{
	struct accepted *twin;

	HASH_FIND_STR(group->by_id, send->draft.id, twin);
	if (!check->passes || twin)
		return false;
	group->member_id = group->open_to = send->draft.sender_id;
	group->sender = (struct conversation_sender){0};
	memcpy(group->sender.other_id, check->other_id, ID_SIZE);
	group->numbers_known = true;
	group->last_seq = check->last_seq;
	group->last_rev = check->last_rev;
	return true;
}

static enum status
check_send(struct group *group, struct write_send_message *send, const struct sending_check *check,
	   struct accepted **ret_twin)
{
	struct fault fault = {0};
	bool member, settled = false;

	send->replayed = false;
	if (passes(group, send, check)) {
		TRY(check_reply(group, send));
		if (send->op.status == OK)
			accept_send(group, send);
		return OK;
	}
	TRY(batch_check_session(group->batch, &send->op, send->draft.session_id, send->draft.sender_id));
	if (send->op.status != OK)
		return OK;
	TRY(find_membership(group, send->draft.sender_id, &member, &fault));
	if (!member && !send->draft.recipient_id[0])
		return batch_refuse_with(&send->op, &fault);
	if (member)
		TRY(settle_id(group, send, ret_twin, &settled));
	if (settled)
		return OK;
	TRY(check_recipient(group, send));
	if (send->op.status == OK)
		TRY(check_reply(group, send));
	if (send->op.status == OK)
		TRY(member ? check_pace(group, send) : make_conversation(group, send));
	if (send->op.status != OK)
		return OK;
	accept_send(group, send);
	return keep_pace(group);
}

static enum status
check_group(struct group *group)
{
	for (size_t i = 0; i < group->n_ops; i++)
		TRY(check_send(group, to_send(group->ops[i]), &group->checks[i], &group->twin_of[i]));
	return OK;
}

static void
number(struct group *group)
{
	for (size_t i = 0; i < group->n_accepted; i++) {
		struct message *stored = &group->accepted[i]->send->stored;

		stored->seq = group->last_seq + 1 + (int64_t)i;
		stored->rev = group->last_rev + 1 + (int64_t)i;
	}
}

/* Of a conversation that was just made, or in which no send passed with all others. */
static enum status
advance_alone(struct group *group)
{
	int64_t n = (int64_t)group->n_accepted;

	TRY(conversations_advance(group->batch->db, group->conversation_id, n, n, &group->last_seq, &group->last_rev));
	group->last_seq -= n;
	group->last_rev -= n;
	return OK;
}

/* One revision and one place for each message that passed. */
static enum status
advance_all(struct batch *batch, struct group *groups, size_t n_groups)
{
	struct sending_advance *advances = arena_alloc(&batch->arena, n_groups * sizeof *advances);
	size_t n = 0;

	for (size_t i = 0; i < n_groups; i++) {
		if (groups[i].n_accepted == 0)
			continue;
		if (groups[i].numbers_known)
			advances[n++] = (struct sending_advance){.conversation_id = groups[i].conversation_id,
								 .n = (int64_t)groups[i].n_accepted};
		else
			TRY(advance_alone(&groups[i]));
		number(&groups[i]);
	}
	return sending_advance(batch->db, advances, n);
}

static enum status
finish_group(struct group *group)
{
	struct batch *batch = group->batch;

	for (size_t i = 0; i < group->n_ops; i++) {
		struct write_send_message *send = to_send(group->ops[i]);

		batch->n_replayed += send->replayed;
		if (!group->twin_of[i])
			continue;
		send->stored = group->twin_of[i]->send->stored;
		send->stored.content =
			send->draft.content; /* the same, by the digest; the twin's may be freed before */
	}
	if (group->created)
		TRY(direct_announce(batch, group->conversation_id, group->accepted[0]->send->draft.sender_id));
	for (size_t i = 0; i < group->n_accepted; i++) {
		struct event event;

		event_message_created(&batch->arena, &group->accepted[i]->send->stored, &event);
		batch_announce(batch, &event);
	}
	batch->n_stored += group->n_accepted;
	return OK;
}

/* Cuts the run into its conversations. Returns how many there are. */
static size_t
split(struct batch *batch, struct write_op **ops, size_t n_ops, struct sending_check *checks, struct group *groups)
{
	size_t n_groups = 0;

	for (size_t i = 0; i < n_ops; i++) {
		struct group *group = n_groups ? &groups[n_groups - 1] : NULL;

		assert(ops[i]->conversation_id);
		if (!group || strcmp(group->conversation_id, ops[i]->conversation_id) != 0) {
			group = &groups[n_groups++];
			*group = (struct group){
				.batch = batch,
				.conversation_id = ops[i]->conversation_id,
				.ops = ops + i,
				.checks = checks + i,
			};
		}
		group->n_ops++;
	}
	for (size_t i = 0; i < n_groups; i++) {
		groups[i].accepted = arena_alloc(&batch->arena, groups[i].n_ops * sizeof *groups[i].accepted);
		groups[i].twin_of = arena_alloc(&batch->arena, groups[i].n_ops * sizeof *groups[i].twin_of);
	}
	return n_groups;
}

static void
insert(struct batch *batch, const struct group *groups, size_t n_groups, size_t n_max)
{
	const struct message **messages = arena_alloc(&batch->arena, n_max * sizeof *messages);
	size_t n = 0;

	for (size_t i = 0; i < n_groups; i++)
		for (size_t j = 0; j < groups[i].n_accepted; j++)
			messages[n++] = &groups[i].accepted[j]->send->stored;
	messages_insert(batch->db, messages, n);
}

/* A send without a session (it was checked by whoever sends it) is looked at by itself. */
void
send_message_ask(struct batch *batch, struct write_op **ops, size_t n_ops)
{
	struct sending_check *checks = arena_alloc(&batch->arena, n_ops * sizeof *checks);

	for (size_t i = 0; i < n_ops; i++) {
		const struct message_draft *draft = &to_send(ops[i])->draft;

		checks[i] = (struct sending_check){
			.session_id = draft->session_id,
			.user_id = draft->sender_id,
			.conversation_id = ops[i]->conversation_id,
			.message_id = draft->id,
		};
	}
	batch->sends = (struct sending_checks){.all = checks, .n = n_ops};
	sending_ask(batch->db, &batch->sends, batch->now_ms);
}

enum status
send_message_run(struct batch *batch, struct write_op **ops, size_t n_ops)
{
	struct group *groups = arena_alloc(&batch->arena, n_ops * sizeof *groups);

	if (!batch->sends.stmt)
		send_message_ask(batch, ops, n_ops);

	size_t n_groups = split(batch, ops, n_ops, batch->sends.all, groups);
	enum status status = sending_check(batch->db, &batch->sends);

	for (size_t i = 0; i < n_groups && status == OK; i++)
		status = check_group(&groups[i]);
	for (size_t i = 0; i < n_groups; i++)
		HASH_CLEAR(hh, groups[i].by_id);
	TRY(status);
	TRY(advance_all(batch, groups, n_groups));
	insert(batch, groups, n_groups, n_ops);
	for (size_t i = 0; i < n_groups; i++)
		TRY(finish_group(&groups[i]));
	return OK;
}

enum status
send_message_find_users(struct batch *batch, struct write_op *op, struct batch_users *users)
{
	const struct message_draft *draft = &to_send(op)->draft;

	if (!draft->recipient_id[0])
		return OK;
	batch_users_add(batch, users, draft->sender_id);
	batch_users_add(batch, users, draft->recipient_id);
	return OK;
}
