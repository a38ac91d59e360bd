/* Table blocks: who takes no direct messages from whom. A block that was lifted stays as a row, for the person's stream. */
#ifndef STORE_BLOCKS_H
#define STORE_BLOCKS_H

#include "db/db.h"
#include "model/changes.h"
#include "model/user.h"

struct blocked_user {
	struct user user; /* id, username and display_name */
	int64_t created_at_ms;
};

/* Whether the person blocks the other one. */
MUST_USE enum status blocks_has(struct db *db, const char *user_id, const char *other_id, bool *ret_blocked);

/* Blocks or unblocks, as the change user_rev of the person's stream. */
MUST_USE enum status blocks_set(struct db *db, const char *user_id, const struct block *block, int64_t now_ms);

/* Whom the person blocks, the newest first. The order key is (created_at_ms, user id), descending; pass the last one seen
 * (before_ms = INT64_MAX, before_id = "" to start). */
MUST_USE enum status blocks_list(struct db *db, struct arena *arena, const char *user_id, int64_t before_ms,
				 const char *before_id, int64_t limit, struct blocked_user **ret_blocked, size_t *ret_n,
				 bool *ret_more);

/* Adds the blocks, set and lifted, whose user_rev is above after_rev and at most next_after_rev. */
MUST_USE enum status blocks_changed(struct db *db, struct arena *arena, const char *user_id,
				    struct person_changes *changes);

#endif
