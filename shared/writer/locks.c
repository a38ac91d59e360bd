/* Locking the rows that a batch advances, and what is done about those that somebody else keeps locked.
 *
 * Nobody waits twice for the same row: which one it was is remembered (held.h), and what concerns it is refused at once for a
 * while. A wait that was in vain while the transaction had rows of its own may have been a deadlock, which PostgreSQL does not
 * look for before its deadlock_timeout, longer than we wait: such an operation runs again, row by row. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "writer/batch.h"

static int
compare_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t
sort_unique(const char **ids, size_t n)
{
	size_t n_unique = 0;

	qsort(ids, n, sizeof *ids, compare_text);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || strcmp(ids[i], ids[n_unique - 1]) != 0)
			ids[n_unique++] = ids[i];
	return n_unique;
}

enum status
locks_refuse(struct held *held, const char *const *ids, size_t n_ids, struct fault *ret_fault)
{
	int64_t wait_ms = held_refuses_ms(held, ids, n_ids, clock_monotonic_ms());

	if (wait_ms == 0)
		return OK;
	fault_set(ret_fault, ERR_UNAVAILABLE, "database_unavailable", NULL,
		  "Somebody else holds what this would change.");
	ret_fault->retry_after_ms = wait_ms;
	return ERR_UNAVAILABLE;
}

/* Several operations are taken apart, so that the one that is concerned waits or is refused by itself. Whether its conversation
 * may be tried was asked when it was submitted. */
static enum status
hold_back(struct batch *batch, enum db_lockable table, const char *const *ids, size_t n, struct fault *ret_fault)
{
	enum status status = OK;

	if (batch->again || !held_has_any(&batch->runner->held, ids, n))
		return OK;
	batch->row_by_row = true;
	if (batch->n_ops > 1)
		status = ERR_UNAVAILABLE;
	else if (table == DB_LOCK_USERS)
		status = locks_refuse(&batch->runner->held, ids, n, ret_fault);
	batch->held_back = status != OK;
	return status;
}

enum status
locks_take(struct batch *batch, enum db_lockable table, const char **ids, size_t *n, struct fault *ret_fault)
{
	if (*n == 0)
		return OK;
	*n = sort_unique(ids, *n);
	TRY(hold_back(batch, table, ids, *n, ret_fault));

	if (!batch->row_by_row) {
		batch->locking[table].only = *n == 1 ? ids[0] : NULL;
		batch->locking[table].n = *n;
		return db_lock(batch->db, table, ids, *n);
	}
	for (size_t i = 0; i < *n; i++) {
		batch->waits_for = ids[i];
		TRY(db_lock(batch->db, table, ids + i, 1));
		TRY(db_settle(batch->db));
		batch->has_rows = true;
	}
	batch->waits_for = NULL;
	return OK;
}

void
locks_judge(struct batch *batch, enum db_trouble met)
{
	size_t n_conversations = batch->locking[DB_LOCK_CONVERSATIONS].n, n_users = batch->locking[DB_LOCK_USERS].n;

	batch->lock_failed = batch->held_back || met == DB_TROUBLE_LOCKED || met == DB_TROUBLE_CONVERSATION_LOCKED ||
			     met == DB_TROUBLE_USER_LOCKED;
	if (batch->row_by_row)
		return;
	if (met == DB_TROUBLE_CONVERSATION_LOCKED) {
		batch->waits_for = batch->locking[DB_LOCK_CONVERSATIONS].only;
		batch->has_rows = n_conversations > 1;
	} else if (met == DB_TROUBLE_USER_LOCKED) {
		batch->waits_for = batch->locking[DB_LOCK_USERS].only;
		batch->has_rows = n_conversations > 0 || n_users > 1;
	} else {
		batch->has_rows = true;
	}
}

void
locks_forget(struct batch *batch)
{
	struct held *held = &batch->runner->held;

	if (held->n == 0) /* it is this thread that notes */
		return;
	for (size_t i = 0; i < batch->n_ops; i++)
		held_forget(held, batch->ops[i]->conversation_id);
	for (size_t i = 0; i < batch->users.n; i++)
		held_forget(held, batch->users.ids[i]);
}

bool
locks_note(struct batch *batch)
{
	const char *conversation_id = batch->ops[0]->conversation_id;
	const char *id = batch->waits_for ? batch->waits_for : conversation_id;

	if (!id || batch->held_back)
		return false;
	held_note(&batch->runner->held, id, clock_monotonic_ms());
	return id == conversation_id || (conversation_id && strcmp(id, conversation_id) == 0);
}
