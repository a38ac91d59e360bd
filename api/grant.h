/* A new refresh token and the answer that hands it over: what sign_up, log_in and refresh_session have in common. */
#ifndef GRANT_H
#define GRANT_H

#include <stdbool.h>

#include "base/id.h"
#include "base/status.h"
#include "model/session.h"
#include "model/user.h"
#include "token.h"

struct req;

struct grant {
	bool cookie; /* the refresh token goes into the cookie, not into the body */
	char token[TOKEN_REFRESH_SIZE];
	char hash[ID_SECRET_SIZE], family_hash[ID_SECRET_SIZE]; /* how it is stored */
};

/* Makes the token. `mode` is the body's "session": "token" (also NULL) or "cookie", else ERR_INVALID; the cookie is refused
 * to foreign pages (ERR_FORBIDDEN). */
MUST_USE enum status grant_begin(struct req *req, const char *mode, struct grant *ret_grant);

/* Makes the grant's token the successor of the one that was presented. */
void grant_succeed(struct req *req, struct grant *grant, const char *presented);

/* The session of somebody who just proved who they are, for the writer. Strings live in the request's arena. */
void grant_session(struct req *req, const struct grant *grant, const char *user_id, struct login_session *ret_session);

/* Answers {user, access_token, expires_in, refresh_token?} and sets the cookie. */
MUST_USE enum status grant_reply(struct req *req, int http_status, const struct grant *grant, const struct user *user,
				 const struct login_session *session);

#endif
