/* Table invites. */
#ifndef STORE_INVITES_H
#define STORE_INVITES_H

#include "db/db.h"
#include "model/audit.h"

MUST_USE enum status invites_insert(struct db *db, const struct invite *invite);

/* One that can still be used. ERR_NOT_FOUND. */
MUST_USE enum status invites_find_open(struct db *db, const char *code_hash, int64_t now_ms, char ret_id[ID_SIZE]);
MUST_USE enum status invites_use(struct db *db, const char *invite_id, const char *user_id, int64_t now_ms);

/* ERR_NOT_FOUND when there is none. *ret_changed false: it had been used or revoked already. */
MUST_USE enum status invites_revoke(struct db *db, const char *invite_id, int64_t now_ms, bool *ret_changed);

/* The newest first, before the id `before_id` (NULL: from the newest on). */
MUST_USE enum status invites_list(struct db *db, struct arena *arena, const char *before_id, int64_t limit,
				  struct invite **ret_invites, size_t *ret_n, bool *ret_more);

#endif
