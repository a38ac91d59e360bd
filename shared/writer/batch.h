/* A batch: the operations that the writer runs in one transaction. Internal to shared/writer.
 *
 * An operation's function returns OK when the transaction can go on, also when the operation was refused (batch_refuse);
 * it must refuse before it has changed anything, because there are no savepoints. Anything else than OK rolls the batch
 * back. It may be run again, so it reads its arguments and writes only its results. */
#ifndef WRITER_BATCH_H
#define WRITER_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "db/db.h"
#include "model/event.h"
#include "store/sending.h"
#include "writer/held.h"
#include "writer/writer.h"

/* The people whose streams a batch may advance: their rows are locked before anything is looked up. */
struct batch_users {
	const char **ids; /* in the batch's arena */
	size_t n, room;
};

struct batch_record {
	struct batch_record *next;
	char channel[EVENT_CHANNEL_SIZE];
	char *bytes;
	size_t len;
};

/* What the writer's thread keeps from batch to batch. */
struct batch_runner {
	struct db *db;
	struct bus *bus; /* NULL in tests */
	char epoch[EVENT_EPOCH_SIZE];
	const char *fault_point; /* STONECHAT_FAULT_WRITER, or NULL */
	struct held held;        /* what somebody else keeps locked */
};

/* One transaction's worth of operations while it runs. */
struct batch {
	struct batch_runner *runner;
	struct db *db;
	struct write_op **ops; /* sorted by conversation, within one in the order of submission */
	size_t n_ops;
	struct arena arena; /* records and what is needed until they are published */
	int64_t now_ms;
	struct batch_record *first_record, *last_record; /* in rev order per channel */
	size_t n_stored, n_replayed, n_changed;          /* messages */
	struct sending_checks sends;                     /* what the next run of sends has asked already */
	const char *live_session_id;                     /* the last one found alive, or NULL */

	struct batch_users users; /* who is locked, or was to be */
	bool lock_failed;         /* it ended because a wait for a lock was too long */
	bool again;               /* the same has just been rolled back for the sake of another transaction */
	bool row_by_row;          /* rows are locked by themselves, so that it is known which one somebody else holds */
	bool has_rows;            /* some may be locked: who waits longer may be waited for */
	bool held_back;           /* a row was known to be held, and not waited for */
	const char *waits_for;    /* the row that was waited for in vain, if it is known */
	struct {
		const char *only; /* the one row, if it is one */
		size_t n;
	} locking[2]; /* what was asked for at once, by enum db_lockable */
};

/* Locks rows, whose ids are sorted and told apart in place (locks.c). ERR_UNAVAILABLE, with a fault or without one, when
 * somebody else holds one of them. */
MUST_USE enum status locks_take(struct batch *batch, enum db_lockable table, const char **ids, size_t *n,
				struct fault *ret_fault);

/* After a rollback: whether it was for the sake of a lock (lock_failed), which one, and whether others may wait for us. */
void locks_judge(struct batch *batch, enum db_trouble met);

/* After the commit: what it had locked nobody holds any more. */
void locks_forget(struct batch *batch);

/* After a batch of one operation has waited in vain: whoever comes next is refused at once. What it waited for after its rows
 * had been locked is not known; its conversation is remembered then, lest each of those after it waits as long. Tells whether
 * it was the conversation. */
bool locks_note(struct batch *batch);

/* ERR_UNAVAILABLE with the time that is left, when a conversation or person is held and nobody may try yet. */
MUST_USE enum status locks_refuse(struct held *held, const char *const *ids, size_t n_ids, struct fault *ret_fault);

/* Runs the operations (the array is sorted in place): commits, publishes, and fills in status, fault and results. The caller
 * answers. False: nothing can be written at present, so what else waits need not be tried. */
bool batch_run(struct batch_runner *runner, struct write_op **ops, size_t n_ops);

/* Refuses one operation; returns OK, for the transaction goes on. */
enum status batch_refuse(struct write_op *op, enum status status, const char *code, const char *field,
			 const char *detail);

/* The same with a store's refusal. */
enum status batch_refuse_with(struct write_op *op, const struct fault *fault);

/* The first question of what a log-in asks for, in the transaction itself: a log-in that has ended writes nothing more, and
 * the operation is refused (op->status). "" for the session: not asked. */
MUST_USE enum status batch_check_session(struct batch *batch, struct write_op *op, const char *session_id,
					 const char *user_id);

/* Adds one more person to be locked; NULL: nobody. The id must live as long as the batch. */
void batch_users_add(struct batch *batch, struct batch_users *users, const char *user_id);

/* Whether a store's answer is a refusal (it has a code) rather than a failing database. */
bool batch_is_refusal(enum status status, const struct fault *fault);

/* Adds a record to what is published after the commit. */
void batch_announce(struct batch *batch, const struct event *event);

/* The kinds of operations. */

/* Runs a run of WRITE_SEND_MESSAGE operations, sorted by conversation (send_message.c). What it asks first may be asked before
 * anybody waits for the locks, if nothing runs in between. */
void send_message_ask(struct batch *batch, struct write_op **ops, size_t n_ops);
MUST_USE enum status send_message_run(struct batch *batch, struct write_op **ops, size_t n_ops);

/* A direct conversation that is made by its first message advances both people's streams. */
MUST_USE enum status send_message_find_users(struct batch *batch, struct write_op *op, struct batch_users *users);

/* Runs one WRITE_CHANGE_MESSAGE (change_message.c). */
MUST_USE enum status change_message_run(struct batch *batch, struct write_op *op);

/* Runs one WRITE_ENSURE_DIRECT operation (direct.c). */
MUST_USE enum status direct_run(struct batch *batch, struct write_op *op);
MUST_USE enum status direct_find_users(struct batch *batch, struct write_op *op, struct batch_users *users);
/* *ret_active false: there is nobody, or nobody any more. */
MUST_USE enum status direct_find_person(struct batch *batch, const char *user_id, bool *ret_active);
/* Tells the conversation's and its members' streams that it is there. */
MUST_USE enum status direct_announce(struct batch *batch, const char *conversation_id, const char *any_member_id);

/* Runs one WRITE_MARK_READ operation (mark_read.c). */
MUST_USE enum status mark_read_run(struct batch *batch, struct write_op *op);
MUST_USE enum status mark_read_find_users(struct batch *batch, struct write_op *op, struct batch_users *users);

/* Runs one WRITE_CONNECTIONS operation (connections.c). */
MUST_USE enum status connections_run(struct batch *batch, struct write_op *op);

/* Runs one WRITE_MUTE operation (mute.c). */
MUST_USE enum status mute_run(struct batch *batch, struct write_op *op);
MUST_USE enum status mute_find_users(struct batch *batch, struct write_op *op, struct batch_users *users);

/* Runs one WRITE_BLOCK operation (block.c). */
MUST_USE enum status block_run(struct batch *batch, struct write_op *op);
MUST_USE enum status block_find_users(struct batch *batch, struct write_op *op, struct batch_users *users);
/* Whether the person can be written to by the other one: active, and not blocking them. Who can't must look the same in both
 * cases. */
MUST_USE enum status block_is_open(struct batch *batch, const char *user_id, const char *sender_id, bool *ret_open);

/* Runs one operation on a personal access token (access_tokens.c). */
MUST_USE enum status access_tokens_run(struct batch *batch, struct write_op *op);
MUST_USE enum status access_tokens_find_users(struct batch *batch, struct write_op *op, struct batch_users *users);

/* Runs one WRITE_GROUP operation (group.c). */
MUST_USE enum status group_run(struct batch *batch, struct write_op *op);
MUST_USE enum status group_find_users(struct batch *batch, struct write_op *op, struct batch_users *users);

/* Gives a member another role, as revision `rev` of the conversation: one of their own stream, announced there. The membership
 * is added to write->members. */
MUST_USE enum status group_change_role(struct batch *batch, struct write_group *write, const char *user_id,
				       const char *role, int64_t rev);
/* The event with all rows of write->members. */
void group_announce_members(struct batch *batch, const struct write_group *write, const char *kind, int64_t rev);
/* GROUP_HAND_OVER (hand_over.c): who the owner is, before the lock (write->actor_id; "": nobody), and the act. */
MUST_USE enum status hand_over_find_owner(struct batch *batch, struct write_group *write);
MUST_USE enum status hand_over_run(struct batch *batch, struct write_group *write);

/* Runs one operation on an account or a log-in (accounts.c). */
MUST_USE enum status accounts_run(struct batch *batch, struct write_op *op);

/* Ends all log-ins of the person but `except_id` ("": none), one record each. */
MUST_USE enum status accounts_end_sessions(struct batch *batch, const char *user_id, const char *except_id);

/* Runs one WRITE_ADMINISTER (administration.c) or WRITE_ADMISSION (admission.c). */
MUST_USE enum status administration_run(struct batch *batch, struct write_op *op);
MUST_USE enum status administration_find_users(struct batch *batch, struct write_op *op, struct batch_users *users);
MUST_USE enum status admission_find_users(struct batch *batch, struct write_op *op, struct batch_users *users);
MUST_USE enum status admission_run(struct batch *batch, struct write_op *op);
/* Whether the act may be done: its session is alive and an administrator's, or there is none (an operator). Else refused. */
MUST_USE enum status administration_check(struct batch *batch, struct write_op *op, const struct write_actor *by);
/* The act's row in the audit, in this transaction. Takes `detail` (NULL: {}). */
MUST_USE enum status administration_note(struct batch *batch, const struct write_actor *by, const char *action,
					 const char *target, json_t *detail);
/* Whether somebody may sign up, and with which invite ("": none is used up); else refused. */
MUST_USE enum status admission_check(struct batch *batch, struct write_sign_up *sign_up, char ret_invite_id[ID_SIZE]);

MUST_USE enum status accounts_find_users(struct batch *batch, struct write_op *op, struct batch_users *users);

#endif
