/* Password hashing (Argon2id by libsodium) in a bounded pool: each hash takes 19 MiB and tens of milliseconds, so an
 * unbounded one would be the way to take the server down by logging in. */
#ifndef PASSWORD_H
#define PASSWORD_H

#include <stddef.h>

#include "base/status.h"

enum { PASSWORD_HASH_SIZE = 128, PASSWORD_MIN_BYTES = 8, PASSWORD_MAX_BYTES = 1024 };

struct password_pool;

/* `threads` hash at once, `queue` wait at most. */
struct password_pool *password_pool_create(size_t threads, size_t queue);
void password_pool_destroy(struct password_pool *pool);

/* The rule for new ones: 8 to 1024 bytes of anything. ERR_INVALID with the field. */
MUST_USE enum status password_check(const char *password, const char *field, struct fault *ret_fault);

/* Both block until done. Queue full: ERR_UNAVAILABLE, code `busy`. */
MUST_USE enum status password_hash(struct password_pool *pool, const char *password, char ret_hash[PASSWORD_HASH_SIZE],
				   struct fault *ret_fault);

/* OK, or ERR_UNAUTHORIZED (code `bad_credentials`). A NULL hash (unknown user) costs the same as a wrong password. */
MUST_USE enum status password_verify(struct password_pool *pool, const char *password, const char *hash,
				     struct fault *ret_fault);

#endif
