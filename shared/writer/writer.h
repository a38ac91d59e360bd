/* All writes of a process: threads that each commit what has queued in one transaction (group commit), announce it on the bus,
 * then answer. A conversation is one thread's; SQLite, where one writes at a time, has one.
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
#include "model/audit.h"
#include "model/changes.h"
#include "model/message.h"
#include "model/presence.h"
#include "model/session.h"
#include "model/user.h"

enum { WRITER_BATCH_MAX = 512, WRITER_QUEUE_MAX = 16384, WRITER_THREADS_MAX = 64 };

enum write_kind {
	WRITE_SEND_MESSAGE,   /* struct write_send_message */
	WRITE_CHANGE_MESSAGE, /* struct write_change_message */
	WRITE_SIGN_UP,        /* struct write_sign_up */
	WRITE_CREATE_SESSION, /* struct write_session */
	WRITE_ROTATE_SESSION, /* struct write_session */
	WRITE_REVOKE_SESSION, /* struct write_session */
	WRITE_REVOKE_OTHERS,  /* struct write_session */
	WRITE_CREATE_TOKEN,   /* struct write_access_token */
	WRITE_USE_TOKEN,      /* struct write_access_token */
	WRITE_BLOCK,          /* struct write_block */
	WRITE_MUTE,           /* struct write_mute */
	WRITE_UPDATE_USER,    /* struct write_user */
	WRITE_PASSWORD,       /* struct write_password */
	WRITE_ENSURE_DIRECT,  /* struct write_direct */
	WRITE_MARK_READ,      /* struct write_mark_read */
	WRITE_CONNECTIONS,    /* struct write_connections */
	WRITE_GROUP,          /* struct write_group */
	WRITE_ADMINISTER,     /* struct write_administer */
	WRITE_ADMISSION,      /* struct write_admission */
	WRITE__MAX,
};

/* The head of every operation. Whoever submits owns the memory and keeps it until `done` has been called; `done` runs on the
 * writer's thread and must not block. */
struct write_op {
	enum write_kind kind;
	const char *conversation_id; /* the thread is chosen and the batch sorted by it; NULL: none */
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

/* Refused, in this order: session_ended; conversation_not_found; message_not_found; not_sender (ERR_FORBIDDEN); message_deleted
 * (ERR_CONFLICT); another rev than the change names (ERR_PRECONDITION, `precondition_failed`); too_many_reactions. A change
 * that its actor may make and that has been made already is OK whatever else holds. */
struct write_change_message {
	struct write_op op;
	struct message_change change; /* checked; strings live as long as the operation */
	/* result */
	struct message stored; /* the message as it is now */
	bool unchanged;        /* it was so already: no rev was used and nothing announced */
};

struct write_sign_up {
	struct write_op op;
	struct user user; /* role is a result */
	const char *password_hash;
	const char *sign_up;              /* open, invite or closed: what holds unless the database says otherwise */
	const char *invite_hash;          /* of the invite's code; NULL: none was given */
	const char *address, *request_id; /* for the audit, in which the first person's role is an act of their own */
	struct login_session session;
};

/* WRITE_CREATE_SESSION: inserts `session`. The user is looked up again: disabled or gone is ERR_UNAUTHORIZED, and so is a
 * password that is not the one of verified_hash (NULL: not asked) any more.
 * WRITE_ROTATE_SESSION: the session is found by session.family_hash, and `presented_hash` exchanged for session.refresh_hash;
 * the previous token is accepted until its successor has first been used and at most SESSION_GRACE_MS, every other one of the
 * family ends the session (ERR_UNAUTHORIZED, code `refresh_token_reused`, and the revocation is committed and announced).
 * Result: session, user.
 * WRITE_REVOKE_SESSION: session.id and session.user_id; already revoked is OK.
 * WRITE_REVOKE_OTHERS: ends the log-ins of all other devices than session.id, which must be alive; not the tokens. */
struct write_session {
	struct write_op op;
	struct login_session session;
	const char *presented_hash, *verified_hash;
	struct user user;
};

/* WRITE_CREATE_TOKEN: inserts `token`, whose owner must be logged in with session_id. ERR_CONFLICT, code `too_many_tokens`.
 * WRITE_USE_TOKEN: notes that token.id was used now. */
struct write_access_token {
	struct write_op op;
	struct login_session token;
	char session_id[ID_SIZE];
};

/* Whether user_id blocks block.user_id. ERR_NOT_FOUND (user_not_found) for blocking nobody, ERR_INVALID for oneself. */
struct write_block {
	struct write_op op; /* of their direct conversation: a block and a message wait for each other */
	char conversation_id[ID_SIZE];
	char user_id[ID_SIZE], session_id[ID_SIZE];
	struct block block;
};

/* Until when the person doesn't want to be called to a conversation; 0: not any more. */
struct write_mute {
	struct write_op op;
	char conversation_id[ID_SIZE], user_id[ID_SIZE], session_id[ID_SIZE];
	int64_t until_ms;
	/* result */
	struct membership membership; /* as it is now */
};

/* How a person is shown. */
struct write_user {
	struct write_op op;
	char user_id[ID_SIZE];
	char session_id[ID_SIZE]; /* looked at in the transaction; "": not */
	const char *display_name; /* checked */
	/* result */
	struct user user;
};

/* Another password; ends all sessions and access tokens but `session_id`, which must be alive (ERR_UNAUTHORIZED). ERR_CONFLICT, code `password_changed`, when `verified_hash` is not the
 * current one any more. */
struct write_password {
	struct write_op op;
	char user_id[ID_SIZE], session_id[ID_SIZE];
	const char *verified_hash, *new_hash;
};

/* The direct conversation of two people, made when it is not there. op.conversation_id is its id. ERR_NOT_FOUND (user_not_found)
 * when the other one is nobody, or disabled, and there is none yet. */
struct write_direct {
	struct write_op op;
	char user_id[ID_SIZE], other_id[ID_SIZE];
	char session_id[ID_SIZE]; /* of user_id, looked at in the transaction; "": not */
	/* result */
	bool created;
};

/* The person has read up to `seq`, and their devices hold what was said up to `delivered_seq` (0: not asked; not kept above
 * CONVERSATION_CLOSE_MAX members). ERR_INVALID when there is no such place yet; the membership is a result then too. */
struct write_mark_read {
	struct write_op op;
	char conversation_id[ID_SIZE], user_id[ID_SIZE];
	char session_id[ID_SIZE]; /* looked at in the transaction; "": not */
	int64_t seq, delivered_seq;
	/* result */
	struct membership membership; /* as it is now */
	bool unchanged;               /* the read cursor was there or further already */
};

/* Who came and left, written behind by the process they came to: nobody's request, so no session is looked at. */
struct write_connections {
	struct write_op op;
	const struct presence *people; /* none unknown */
	size_t n_people;
};

/* Who does what only administrators may. Strings live as long as the operation. */
struct write_actor {
	const char *name;       /* a person's id, or operator:<account> */
	const char *session_id; /* "": an operator, who is not asked for a role */
	const char *address;    /* NULL: not by the network */
	const char *request_id; /* likewise */
};

enum group_action {
	GROUP_CREATE,
	GROUP_UPDATE,
	GROUP_DELETE,
	GROUP_ADD,
	GROUP_SET_ROLE,
	GROUP_REMOVE,
	GROUP_RETIRE,   /* the actor was deleted: leaves, and an owner is followed by somebody else */
	GROUP_HAND_OVER /* by an administrator: the group of an owner who cannot log in gets another one */
};
enum { GROUP_SLOW_MODE_KEPT = -1 };

/* The life of a group; op.conversation_id is its id. Refused, in this order: session_ended; conversation_not_found; not_a_group
 * (ERR_CONFLICT); role_too_low (ERR_FORBIDDEN); member_not_found; last_owner, conversation_full (ERR_CONFLICT);
 * user_unavailable (ERR_INVALID). GROUP_CREATE of an id that is there: `unchanged`, or id_reused (ERR_CONFLICT). GROUP_HAND_OVER
 * also admin_required, and owner_active (ERR_CONFLICT): the owner can hand over by themselves; noted in the audit. */
struct write_group {
	struct write_op op;
	enum group_action action;
	struct write_actor by;                       /* GROUP_HAND_OVER: in place of actor_id and session_id */
	char actor_id[ID_SIZE], session_id[ID_SIZE]; /* the session is looked at in the transaction; "": not */
	const char *title;                           /* checked; GROUP_UPDATE: NULL keeps it */
	int64_t slow_mode_s;                         /* GROUP_UPDATE: GROUP_SLOW_MODE_KEPT keeps it */
	const char *role;                            /* GROUP_SET_ROLE; owner: the actor becomes admin */
	/* Different people: at most CONVERSATION_ADDED_MAX, exactly one for GROUP_SET_ROLE, GROUP_REMOVE and
	 * GROUP_HAND_OVER, none for the others but GROUP_CREATE, where the actor is not among them. */
	const char (*user_ids)[ID_SIZE];
	size_t n_user_ids;
	char heir_id[ID_SIZE]; /* GROUP_RETIRE: the writer's own, who has been locked to follow the owner */
	/* result */
	bool unchanged;         /* it was so already: no rev was used and nothing announced */
	struct member *members; /* whose membership has changed, as it is now */
	size_t n_members;
};

/* An act on one account, with its row in the audit. Refused: session_ended, admin_required, user_not_found, last_admin
 * (ERR_CONFLICT: nobody would be left to administer), password_changed. What is so already is OK and noted nowhere. */
struct write_administer {
	struct write_op op;
	enum {
		ADMINISTER_UPDATE, /* disabled and role, as far as they are set */
		ADMINISTER_RESET,  /* password_hash; ends all log-ins */
		ADMINISTER_DELETE, /* their messages stay; also by the person, then with verified_hash */
	} act;
	struct write_actor by;
	char user_id[ID_SIZE];
	bool set_disabled, disabled;
	const char *role;          /* NULL: stays */
	const char *password_hash; /* ADMINISTER_RESET */
	const char *verified_hash; /* ADMINISTER_DELETE by oneself: the password that was checked; NULL: not asked */
	/* result */
	struct user user;
	int64_t at_ms; /* ADMINISTER_RESET: when; a one-time password's life counts from here */
};

/* Who may sign up. Refused: session_ended, admin_required, invite_not_found. */
struct write_admission {
	struct write_op op;
	enum { ADMISSION_INVITE, ADMISSION_REVOKE, ADMISSION_SIGN_UP } act;
	struct write_actor by;
	struct invite invite; /* REVOKE: its id alone */
	const char *sign_up;  /* SIGN_UP: open, invite, closed or default */
};

struct writer;

/* Opens the connections to `database_url` and starts the threads; n_threads 0: as many as the database makes use of. `bus` may
 * be NULL in tests. */
MUST_USE enum status writer_create(const char *database_url, size_t n_threads, struct bus *bus,
				   struct writer **ret_writer, struct fault *ret_fault);

/* Commits and answers what has been submitted, then ends the threads. NULL is fine. */
void writer_destroy(struct writer *writer);

/* Queues an operation; from any thread, never blocks. Full: ERR_UNAVAILABLE and `done` is not called. */
MUST_USE enum status writer_submit(struct writer *writer, struct write_op *op);

/* Submits and waits; returns op->status (op->done is used by it). */
MUST_USE enum status writer_run(struct writer *writer, struct write_op *op);

#endif
