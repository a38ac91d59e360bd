/* Table sessions. */
#ifndef STORE_SESSIONS_H
#define STORE_SESSIONS_H

#include "db/db.h"
#include "model/changes.h"
#include "model/event.h"
#include "model/session.h"
#include "store/meta.h"

enum { SESSION_GRACE_MS = 60 * 1000 };

MUST_USE enum status sessions_insert(struct db *db, const struct login_session *session);

/* The first query of every request: session not revoked or expired, user neither disabled nor deleted, both belonging
 * together. ERR_UNAUTHORIZED, code `session_ended`. What a caller that must change the password may do is the asker's to decide. */
MUST_USE enum status sessions_check(struct db *db, const char *session_id, const char *user_id, int64_t now_ms,
				    struct caller *ret_caller, struct fault *ret_fault);

/* The first query of a request by REST, one statement: the same, and where what it asks about stands. Read before anything else, so
 * that an answer found under what it says is of no earlier time than the request. */
struct standing_question {
	const char *session_id, *user_id;
	int64_t now_ms;
	const char *conversation_id; /* NULL: about none */
};
struct standing {
	char epoch[EVENT_EPOCH_SIZE];
	char names[META_VALUE_SIZE]; /* the stamp of the names that people have: another one with each change of any */
	struct head head;            /* conversation_id "": there is none, or the caller is not in it */
	int64_t member_user_rev;     /* of the caller's membership */
};
MUST_USE enum status sessions_standing(struct db *db, const struct standing_question *question,
				       struct caller *ret_caller, struct standing *ret_standing,
				       struct fault *ret_fault);

/* A device's, by the hash of the part that all its refresh tokens share. ERR_NOT_FOUND. Strings live in the arena. */
MUST_USE enum status sessions_get_by_family(struct db *db, struct arena *arena, const char *family_hash,
					    struct login_session *ret_session);

/* Replaces the refresh token: refresh_hash := new_hash, previous_hash := `previous_hash`, rotated_at := now. */
MUST_USE enum status sessions_rotate(struct db *db, const char *session_id, const char *new_hash,
				     const char *previous_hash, int64_t now_ms);

/* A person's devices that are logged in, the one used last first. The order key is (last_used_at_ms, id), descending; pass the last
 * one seen (before_ms = INT64_MAX, before_id = "" to start). Without the hashes. */
MUST_USE enum status sessions_list(struct db *db, struct arena *arena, const char *user_id, int64_t now_ms,
				   int64_t before_ms, const char *before_id, int64_t limit,
				   struct login_session **ret_sessions, size_t *ret_n, bool *ret_more);

/* Whether the session is the person's and of this kind (`device` or `token`), alive or not. */
MUST_USE enum status sessions_belongs(struct db *db, const char *session_id, const char *user_id, const char *kind,
				      bool *ret_belongs);

/* Marks it revoked with its rev in the person's stream. *ret_changed false when it already was. */
MUST_USE enum status sessions_revoke(struct db *db, const char *session_id, const char *user_id, int64_t user_rev,
				     int64_t now_ms, bool *ret_changed);

#endif
