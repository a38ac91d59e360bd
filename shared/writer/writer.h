/* All writes of a process: one thread that commits what has queued in one transaction (group commit), announces it on the
 * bus, then answers.
 *
 * No timer: a batch is what gathered while the last one committed. No savepoints: an error rolls the batch back and its
 * operations run again one by one, so every operation must be re-runnable. */
#ifndef WRITER_WRITER_H
#define WRITER_WRITER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/status.h"
#include "bus.h"
#include "model/message.h"
#include "model/session.h"
#include "model/user.h"

enum { WRITER_BATCH_MAX = 512, WRITER_QUEUE_MAX = 16384 };

enum write_kind {
	WRITE_SEND_MESSAGE,   /* struct write_send_message */
	WRITE_SIGN_UP,        /* struct write_sign_up */
	WRITE_CREATE_SESSION, /* struct write_session */
	WRITE_ROTATE_SESSION, /* struct write_session */
	WRITE_REVOKE_SESSION, /* struct write_session */
	WRITE__MAX,
};

/* The head of every operation. Whoever submits owns the memory and keeps it until `done` has been called; `done` runs on the
 * writer's thread and must not block. */
struct write_op {
	enum write_kind kind;
	const char *conversation_id; /* the batch is sorted by it; NULL: none */
	void (*done)(struct write_op *op);
	void *context; /* the caller's */

	/* result */
	enum status status;
	struct fault fault;
	struct arena arena; /* what the results below point into; finished by the caller */

	/* the writer's own */
	struct write_op *next;
};

struct write_send_message {
	struct write_op op;
	struct message_draft draft; /* checked; strings live as long as the operation */
	/* result */
	struct message stored;
	bool replayed; /* the id was there already with the same digest: `stored` is the row as it is now */
};

struct write_sign_up {
	struct write_op op;
	struct user user; /* role is a result */
	const char *password_hash;
	struct login_session session;
};

/* WRITE_CREATE_SESSION: inserts `session` (the user is looked up again: disabled or gone is ERR_UNAUTHORIZED).
 * WRITE_ROTATE_SESSION: the session is found by session.family_hash, and `presented_hash` exchanged for session.refresh_hash;
 * the previous token is accepted until its successor has first been used and at most SESSION_GRACE_MS, every other one of the
 * family ends the session (ERR_UNAUTHORIZED, code `refresh_token_reused`, and the revocation is committed and announced).
 * Result: session, user.
 * WRITE_REVOKE_SESSION: session.id and session.user_id; already revoked is OK. */
struct write_session {
	struct write_op op;
	struct login_session session;
	const char *presented_hash;
	struct user user;
};

struct writer;

/* Opens its connection to `database_url` and starts the thread. `bus` may be NULL in tests. */
MUST_USE enum status writer_create(const char *database_url, struct bus *bus, struct writer **ret_writer,
				   struct fault *ret_fault);

/* Commits and answers what has been submitted, then ends the thread. NULL is fine. */
void writer_destroy(struct writer *writer);

/* Queues an operation; from any thread, never blocks. Full: ERR_UNAVAILABLE and `done` is not called. */
MUST_USE enum status writer_submit(struct writer *writer, struct write_op *op);

/* Submits and waits; returns op->status (op->done is used by it). */
MUST_USE enum status writer_run(struct writer *writer, struct write_op *op);

#endif
