/* Personal access tokens, which are rows of the table sessions of kind `token`: what only they need. */
#ifndef STORE_ACCESS_TOKENS_H
#define STORE_ACCESS_TOKENS_H

#include "db/db.h"
#include "model/session.h"

/* Who holds the token with this hash (id_hash_secret), if it is alive and its owner neither disabled nor deleted: fills
 * *ret_caller without the role, and *ret_session's id, user_id, last_used_at_ms and expires_at_ms. ERR_UNAUTHORIZED, code
 * `token_invalid`. */
MUST_USE enum status access_tokens_find(struct db *db, const char *hash, int64_t now_ms,
					struct login_session *ret_session, struct fault *ret_fault);

/* A person's tokens that are alive, the newest first: at most ACCESS_TOKENS_MAX. */
MUST_USE enum status access_tokens_list(struct db *db, struct arena *arena, const char *user_id, int64_t now_ms,
					struct login_session **ret_tokens, size_t *ret_n);

/* Notes that it was used. */
MUST_USE enum status access_tokens_set_used(struct db *db, const char *token_id, int64_t now_ms);

#endif
