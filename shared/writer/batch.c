/* Group commit: many operations in one transaction, in the order that every writer keeps: lock, look up, advance, insert.
 *
 * A batch that fails is rolled back and its operations run again, each in a transaction of its own, so that one that the
 * database cannot digest does not take others with it. */
#include "writer/batch.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "log.h"
#include "metrics.h"
#include "store/meta.h"
#include "store/sessions.h"

enum status
batch_refuse(struct write_op *op, enum status status, const char *code, const char *field, const char *detail)
{
	op->status = fault_set(&op->fault, status, code, field, "%s", detail);
	return OK;
}

bool
batch_is_refusal(enum status status, const struct fault *fault)
{
	return status != OK && status != ERR_UNAVAILABLE && status != ERR_INTERNAL && fault->code;
}

enum status
batch_refuse_with(struct write_op *op, const struct fault *fault)
{
	return batch_refuse(op, fault->status, fault->code, fault->field, fault->detail);
}

enum status
batch_check_session(struct batch *batch, struct write_op *op, const char *session_id, const char *user_id)
{
	struct fault fault = {0};
	struct caller caller;

	if (!session_id[0] || (batch->live_session_id && strcmp(batch->live_session_id, session_id) == 0))
		return OK;

	enum status status = sessions_check(batch->db, session_id, user_id, batch->now_ms, &caller, &fault);
	if (status == OK && caller.must_change_password) {
		if (op->kind == WRITE_PASSWORD)
			return OK;
		return batch_refuse(
			op, ERR_FORBIDDEN, "password_change_required", NULL,
			"This password was for once: choose one of your own first (PUT /users/me/password).");
	}
	if (status == OK)
		batch->live_session_id = session_id;
	return batch_is_refusal(status, &fault) ? batch_refuse_with(op, &fault) : status;
}

void
batch_users_add(struct batch *batch, struct batch_users *users, const char *user_id)
{
	if (!user_id)
		return;
	if (users->n == users->room) {
		size_t room = users->room ? users->room * 2 : 16;
		const char **ids = arena_alloc(&batch->arena, room * sizeof *ids);

		if (users->n)
			memcpy(ids, users->ids, users->n * sizeof *ids);
		users->ids = ids;
		users->room = room;
	}
	users->ids[users->n++] = user_id;
}

void
batch_announce(struct batch *batch, const struct event *event)
{
	struct batch_record *record = arena_alloc(&batch->arena, sizeof *record);

	memcpy(record->channel, event->channel, sizeof record->channel);
	record->bytes = event_encode(&batch->arena, batch->runner->epoch, event, &record->len);
	if (batch->last_record)
		batch->last_record->next = record;
	else
		batch->first_record = record;
	batch->last_record = record;
}

static void
fail_all(struct write_op **ops, size_t n_ops, const struct fault *fault)
{
	for (size_t i = 0; i < n_ops; i++) {
		ops[i]->status = fault->status;
		ops[i]->fault = *fault;
	}
}

/* What the writer does with an operation of a kind. */
static const struct {
	/* Adds the people whose streams it may advance; its conversation is locked already. NULL: nobody's. */
	enum status (*find_users)(struct batch *batch, struct write_op *op, struct batch_users *users);
	enum status (*run)(struct batch *batch, struct write_op *op); /* NULL: runs are one step, see run_ops */
} kinds[] = {
	[WRITE_SEND_MESSAGE] = {send_message_find_users, NULL},
	[WRITE_CHANGE_MESSAGE] = {NULL, change_message_run},
	[WRITE_SIGN_UP] = {accounts_find_users, accounts_run},
	[WRITE_CREATE_SESSION] = {accounts_find_users, accounts_run},
	[WRITE_ROTATE_SESSION] = {accounts_find_users, accounts_run},
	[WRITE_REVOKE_SESSION] = {accounts_find_users, accounts_run},
	[WRITE_REVOKE_OTHERS] = {accounts_find_users, accounts_run},
	[WRITE_CREATE_TOKEN] = {access_tokens_find_users, access_tokens_run},
	[WRITE_USE_TOKEN] = {NULL, access_tokens_run},
	[WRITE_BLOCK] = {block_find_users, block_run},
	[WRITE_MUTE] = {mute_find_users, mute_run},
	[WRITE_UPDATE_USER] = {accounts_find_users, accounts_run},
	[WRITE_PASSWORD] = {accounts_find_users, accounts_run},
	[WRITE_ENSURE_DIRECT] = {direct_find_users, direct_run},
	[WRITE_MARK_READ] = {mark_read_find_users, mark_read_run},
	[WRITE_CONNECTIONS] = {NULL, connections_run},
	[WRITE_GROUP] = {group_find_users, group_run},
	[WRITE_ADMINISTER] = {administration_find_users, administration_run},
	[WRITE_ADMISSION] = {admission_find_users, admission_run},
};
_Static_assert(sizeof kinds / sizeof kinds[0] == WRITE__MAX, "every kind has its row");

/* All rows that the batch may advance: conversations first, then people, who are looked for when nobody can join or leave any
 * more. */
static enum status
lock_rows(struct batch *batch, struct fault *ret_fault)
{
	const char **conversations = arena_alloc(&batch->arena, batch->n_ops * sizeof *conversations);
	struct batch_users *users = &batch->users;
	size_t n_conversations = 0;

	for (size_t i = 0; i < batch->n_ops; i++)
		if (batch->ops[i]->conversation_id)
			conversations[n_conversations++] = batch->ops[i]->conversation_id;
	TRY(locks_take(batch, DB_LOCK_CONVERSATIONS, conversations, &n_conversations, ret_fault));
	for (size_t i = 0; i < batch->n_ops; i++)
		if (kinds[batch->ops[i]->kind].find_users)
			TRY(kinds[batch->ops[i]->kind].find_users(batch, batch->ops[i], users));
	return locks_take(batch, DB_LOCK_USERS, users->ids, &users->n, ret_fault);
}

/* How many of them, from the first on, are sends. */
static size_t
count_sends(struct write_op **ops, size_t n_ops)
{
	size_t n = 0;

	while (n < n_ops && ops[n]->kind == WRITE_SEND_MESSAGE)
		n++;
	return n;
}

/* Everything up to the first answer that is needed is one round trip: whether the database serves, the locks, and what a run of
 * sends asks. */
static enum status
prepare(struct batch *batch, struct fault *ret_fault, bool *ret_serving)
{
	CLEANUP_STMT struct db_stmt *epoch = meta_ask_serving_epoch(batch->db);
	size_t n_sends = count_sends(batch->ops, batch->n_ops);
	enum status locked = lock_rows(batch, ret_fault);

	if (n_sends > 0 && locked == OK)
		send_message_ask(batch, batch->ops, n_sends);
	TRY(meta_serving_epoch(batch->db, epoch, batch->runner->epoch, ret_fault));
	*ret_serving = true;
	return locked;
}

/* Runs of sends are one set-based step; everything else is one by one. *ret_failed is the operation at fault, if it is
 * one's. */
static enum status
run_ops(struct batch *batch, struct write_op **ret_failed)
{
	size_t i = 0;

	while (i < batch->n_ops) {
		size_t n_sends = count_sends(batch->ops + i, batch->n_ops - i);

		if (n_sends > 0) {
			TRY(send_message_run(batch, batch->ops + i, n_sends));
			i += n_sends;
			continue;
		}
		*ret_failed = batch->ops[i];
		TRY(kinds[batch->ops[i]->kind].run(batch, batch->ops[i]));
		*ret_failed = NULL;
		i++;
	}
	return OK;
}

/* A failure without a refusal's code becomes what its sender is told. `fault` may have been filled by a store. */
static void
explain(enum status status, bool unknown, struct fault *fault)
{
	if (unknown)
		fault_set(fault, ERR_UNAVAILABLE, "outcome_unknown", NULL,
			  "Whether this was stored is not known; sending it again with the same id settles it.");
	else if (status == ERR_CONFLICT && !fault->code)
		fault_set(fault, ERR_UNAVAILABLE, "write_conflict", NULL,
			  "Somebody else changed the same at the same time.");
	else if (status == ERR_UNAVAILABLE && !fault->code)
		fault_set(fault, ERR_UNAVAILABLE, "database_unavailable", NULL,
			  "The database cannot be written at present.");
	else if (!fault->code)
		fault_set(fault, ERR_INTERNAL, "internal_error", NULL, "The change could not be stored.");
}

enum outcome {
	OUTCOME_COMMITTED,
	OUTCOME_CLASHED, /* rolled back for the sake of another transaction: to be run again as it is */
	OUTCOME_FAILED,  /* rolled back; the operations may be to blame */
	OUTCOME_REFUSED, /* nothing can be written now, or nobody knows: not to be run again */
};

/* Somebody else may have waited for us meanwhile. Several operations are taken apart anyway. */
static bool
may_be_deadlock(const struct batch *batch)
{
	return batch->lock_failed && batch->has_rows && batch->n_ops == 1 && !batch->row_by_row;
}

/* BEGIN to COMMIT. Unless committed, *ret_fault says why. */
static enum outcome
transact(struct batch *batch, struct fault *ret_fault)
{
	struct write_op *failed = NULL;
	bool unknown = false, serving = false;
	enum status status = db_begin(batch->db, DB_WRITE);

	if (status == OK)
		status = prepare(batch, ret_fault, &serving);
	if (status == OK)
		status = run_ops(batch, &failed);
	if (status == OK)
		status = db_commit(batch->db, &unknown);
	if (status == OK)
		return OUTCOME_COMMITTED;
	sending_forget(&batch->sends);
	log_debug("writer_rollback", LOG_S("status", status_name(status)), LOG_S("error", db_error(batch->db)),
		  LOG_I("operations", batch->n_ops));
	db_rollback(batch->db);
	locks_judge(batch, db_trouble(batch->db));
	if (failed && failed->fault.code)
		*ret_fault = failed->fault;
	bool clashed = db_trouble(batch->db) == DB_TROUBLE_CLASH || (status == ERR_CONFLICT && !ret_fault->code);
	clashed = clashed || may_be_deadlock(batch);
	explain(status, unknown, ret_fault);
	if (clashed && !unknown)
		return OUTCOME_CLASHED;
	/* A full disk or a lost connection is not this operation's fault: those after it would fare no better. */
	if (status == ERR_UNAVAILABLE && !batch->lock_failed && batch->n_ops == 1)
		return OUTCOME_REFUSED;
	return unknown || !serving ? OUTCOME_REFUSED : OUTCOME_FAILED;
}

/* Tests kill a process between commit and publish, or lose its records there. */
static bool
pass_fault_point(const struct batch *batch)
{
#ifdef STONECHAT_FAULTS
	const char *point = batch->runner->fault_point;

	if (point && (batch->n_stored || batch->n_changed) && strcmp(point, "exit_after_commit") == 0)
		_exit(42);
	return !point || strcmp(point, "skip_publish") != 0;
#else
	(void)batch;
	return true;
#endif
}

static void
publish(const struct batch *batch)
{
	if (!pass_fault_point(batch) || !batch->runner->bus)
		return;
	for (const struct batch_record *record = batch->first_record; record; record = record->next)
		bus_publish(batch->runner->bus, record->channel, record->bytes, record->len);
}

static void
count(const struct batch *batch, int64_t started_us)
{
	metrics_observe_us(METRIC_COMMIT_SECONDS, clock_monotonic_us() - started_us);
	metrics_add(METRIC_WRITER_BATCHES, 1);
	metrics_add(METRIC_MESSAGES_STORED, (int64_t)batch->n_stored);
	metrics_add(METRIC_MESSAGES_REPLAYED, (int64_t)batch->n_replayed);
	metrics_add(METRIC_MESSAGES_CHANGED, (int64_t)batch->n_changed);
}

/* One transaction: committed and published, or all operations have the fault. */
static enum outcome
attempt_once(struct batch_runner *runner, struct write_op **ops, size_t n_ops, bool again, bool *ret_conversation_held)
{
	struct batch batch = {
		.runner = runner,
		.db = runner->db,
		.ops = ops,
		.n_ops = n_ops,
		.now_ms = clock_wall_ms(),
		.again = again,
		.row_by_row = again && n_ops == 1,
	};
	struct fault fault = {0};
	int64_t started_us = clock_monotonic_us();

	*ret_conversation_held = false;
	for (size_t i = 0; i < n_ops; i++) {
		arena_finish(&ops[i]->arena);
		ops[i]->status = OK;
		ops[i]->fault = (struct fault){0};
	}
	enum outcome outcome = transact(&batch, &fault);
	if (outcome == OUTCOME_COMMITTED) {
		locks_forget(&batch);
		count(&batch, started_us);
		publish(&batch);
	} else {
		fail_all(ops, n_ops, &fault);
		if (batch.lock_failed && n_ops == 1 && outcome == OUTCOME_FAILED)
			*ret_conversation_held = locks_note(&batch);
	}
	arena_finish(&batch.arena);
	return outcome;
}

enum { CLASHES_MAX = 3 };

/* Two transactions that stood in each other's way seldom do so twice; somebody else's row with the same key is there by then. */
static enum outcome
attempt(struct batch_runner *runner, struct write_op **ops, size_t n_ops, bool *ret_conversation_held)
{
	enum outcome outcome = OUTCOME_CLASHED;

	for (int i = 0; i < CLASHES_MAX && outcome == OUTCOME_CLASHED; i++) {
		if (i > 0)
			metrics_add(METRIC_WRITER_CLASHES, 1);
		outcome = attempt_once(runner, ops, n_ops, i > 0, ret_conversation_held);
	}
	return outcome == OUTCOME_CLASHED ? OUTCOME_FAILED : outcome;
}

static bool
same_conversation(const struct write_op *a, const struct write_op *b)
{
	return a->conversation_id && b->conversation_id && strcmp(a->conversation_id, b->conversation_id) == 0;
}

static bool
is_unknown(const struct write_op *op)
{
	return op->fault.code && strcmp(op->fault.code, "outcome_unknown") == 0;
}

enum { VAIN_MAX_MS = 2000 };

/* Each in its own transaction. What nobody can write now is not tried 512 times (false is returned), and neither is a
 * conversation that somebody else keeps locked, nor anything more when many are, as behind a LOCK TABLE. */
static bool
run_one_by_one(struct batch_runner *runner, struct write_op **ops, size_t n_ops)
{
	bool conversation_held, any_committed = false;
	int64_t vain_ms = 0;

	for (size_t i = 0; i < n_ops; i++) {
		int64_t began_ms = clock_monotonic_ms();
		enum outcome outcome = attempt(runner, &ops[i], 1, &conversation_held);
		struct fault fault = ops[i]->fault;

		vain_ms += outcome == OUTCOME_FAILED ? clock_monotonic_ms() - began_ms : 0;
		any_committed = any_committed || outcome == OUTCOME_COMMITTED;
		if (outcome == OUTCOME_REFUSED && !is_unknown(ops[i])) {
			fail_all(ops + i, n_ops - i, &fault);
			return false;
		}
		if (vain_ms > VAIN_MAX_MS) { /* what was not tried is told nothing of this one */
			fault = (struct fault){0};
			explain(ERR_UNAVAILABLE, false, &fault);
			fail_all(ops + i + 1, n_ops - i - 1, &fault);
			return any_committed;
		}
		while (outcome == OUTCOME_FAILED && conversation_held && i + 1 < n_ops &&
		       same_conversation(ops[i], ops[i + 1])) {
			fail_all(&ops[i + 1], 1, &fault);
			i++;
		}
	}
	return true;
}

/* By conversation; cursors come last, so that they don't part the messages that are stored in one step. */
static bool
may_precede(const struct write_op *a, const struct write_op *b)
{
	bool a_is_cursor = a->kind == WRITE_MARK_READ, b_is_cursor = b->kind == WRITE_MARK_READ;
	const char *a_id = a->conversation_id, *b_id = b->conversation_id;

	if (a_is_cursor != b_is_cursor)
		return b_is_cursor;
	return strcmp(a_id ? a_id : "", b_id ? b_id : "") <= 0;
}

/* Merge sort, because it is stable: the order of submission within a conversation is the order of its messages. */
static void
sort(struct write_op **ops, size_t n, struct write_op **scratch)
{
	if (n < 2)
		return;

	size_t half = n / 2, left = 0, right = half;
	sort(ops, half, scratch);
	sort(ops + half, n - half, scratch);
	memcpy(scratch, ops, n * sizeof *ops);
	for (size_t i = 0; i < n; i++) {
		bool take_left = left < half;

		if (take_left && right < n)
			take_left = may_precede(scratch[left], scratch[right]);
		ops[i] = take_left ? scratch[left++] : scratch[right++];
	}
}

bool
batch_run(struct batch_runner *runner, struct write_op **ops, size_t n_ops)
{
	struct write_op *scratch[WRITER_BATCH_MAX];
	bool conversation_held;

	sort(ops, n_ops, scratch);
	metrics_add(METRIC_WRITER_OPS, (int64_t)n_ops);
	enum outcome outcome = attempt(runner, ops, n_ops, &conversation_held);
	if (outcome != OUTCOME_FAILED || n_ops == 1)
		return outcome != OUTCOME_REFUSED || is_unknown(ops[0]);
	metrics_add(METRIC_WRITER_RETRIES, 1);
	return run_one_by_one(runner, ops, n_ops);
}
