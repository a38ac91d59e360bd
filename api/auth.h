/* Who is calling: the access token of a request. */
#ifndef AUTH_H
#define AUTH_H

#include "base/status.h"
#include "token.h"

struct req;

/* The claims of the bearer token of a log-in, verified but without asking whether the session still is. ERR_UNAUTHORIZED, also when
 * there is no token. */
MUST_USE enum status auth_claims(struct req *req, struct token_claims *ret_claims);

/* Fills req->caller from the token alone (a personal one is looked up), for what the writer checks in its transaction.
 * ERR_UNAUTHORIZED. */
MUST_USE enum status auth_token(struct req *req);

/* Fills req->caller and req->standing: the token's session and user, asked of the database, so that a revocation counts at once.
 * ERR_UNAUTHORIZED; ERR_FORBIDDEN while a one-time password must be changed; ERR_UNAVAILABLE. */
MUST_USE enum status auth_check(struct req *req);

/* The same, and refuses a personal access token: ERR_FORBIDDEN, code `token_not_allowed`. */
MUST_USE enum status auth_check_device(struct req *req);

/* Refuses a personal access token like auth_check_device, alive or not; anything else, or nothing, is OK. */
MUST_USE enum status auth_refuse_personal(struct req *req);

#endif
