/* What changed in a stream since a revision: the pull of REST and the repair of the hub are the same reads. */
#ifndef STORE_CHANGES_H
#define STORE_CHANGES_H

#include "db/db.h"
#include "model/changes.h"

/* The conversation's changes with after_rev < rev <= head, the head read first, in one snapshot, at most `limit` rows but
 * never splitting a rev. `user_id` NULL: for the hub, which has checked membership; else ERR_NOT_FOUND for a non-member.
 * The conversation (row state, without unread) is set when its own rev is in the page; read as `user_id` when given. */
MUST_USE enum status changes_of_conversation(struct db *db, struct arena *arena, const char *conversation_id,
					     const char *user_id, int64_t after_rev, int64_t limit,
					     struct changes *ret_changes, struct fault *ret_fault);

/* How a member starts: the conversation as they see it and its newest 50 messages, next_after_rev = last_rev = the head, in
 * one snapshot; snapshot = true. ERR_NOT_FOUND for a non-member; *ret_head is the head all the same (0: no such one). */
MUST_USE enum status changes_snapshot(struct db *db, struct arena *arena, const char *conversation_id,
				      const char *user_id, struct changes *ret_changes, int64_t *ret_head,
				      struct fault *ret_fault);

/* The person's stream, the same way. */
MUST_USE enum status changes_of_person(struct db *db, struct arena *arena, const char *user_id, int64_t after_rev,
				       int64_t limit, struct person_changes *ret_changes);

#endif
