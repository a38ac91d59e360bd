/* The password of the caller, asked once more before what cannot be taken back. */
#ifndef OWN_PASSWORD_H
#define OWN_PASSWORD_H

#include "base/status.h"

struct req;

/* Verifies `password`, which came as the key `field` (a literal), after the delay that wrong ones have earned; *ret_hash is what it was
 * verified against, for the writer to compare. ERR_FORBIDDEN (password_wrong); ERR_UNAUTHORIZED; ERR_RATE_LIMITED. */
MUST_USE enum status own_password_verify(struct req *req, const char *password, const char *field,
					 const char **ret_hash);

#endif
