/* A log-in on one device (the OpenAPI schema Session), or a personal access token (AccessToken): a log-in without refresh, so
 * that whatever ends log-ins ends tokens. Secrets are never stored, only their hashes. */
#ifndef MODEL_SESSION_H
#define MODEL_SESSION_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"
#include "base/status.h"

enum {
	ACCESS_TOKEN_NAME_MAX = 64, /* code points */
	ACCESS_TOKENS_MAX = 50,     /* of one person, so that a lost one can be found */
};

struct login_session {
	char id[ID_SIZE];
	char user_id[ID_SIZE];
	int64_t user_rev;                 /* rev in the person's stream of its revocation; 0 */
	char family_hash[ID_SECRET_SIZE]; /* of what all its refresh tokens begin with: a used-up one is known by it */
	char refresh_hash[ID_SECRET_SIZE];
	char previous_hash[ID_SECRET_SIZE]; /* "" when there was none, or its successor has been used */
	int64_t rotated_at_ms;
	const char *user_agent; /* NULL: not told */
	const char *address;    /* likewise */
	int64_t created_at_ms, last_used_at_ms, expires_at_ms, revoked_at_ms;
	/* Of a personal access token, whose last_used_at_ms is 0 until it has been used. */
	const char *name;   /* NULL: a log-in of a device */
	const char *prefix; /* what the token begins with, for its owner to know it by */
};

/* Who calls: what one indexed query on session and user answers for each request. */
struct caller {
	char user_id[ID_SIZE];
	char session_id[ID_SIZE];
	const char *role;          /* a literal */
	bool is_token;             /* by a personal access token */
	bool must_change_password; /* a one-time password: nothing else is served until it is changed */
};

/* {id, user_agent, address, created_at, last_used_at, expires_at, current: bool}; `current`: the caller's own. */
json_t *session_to_json(const struct login_session *session, bool current);

/* {id, name, prefix, created_at, last_used_at, expires_at} */
json_t *access_token_to_json(const struct login_session *session);

/* What a token may be called. ERR_INVALID, code `name_invalid`. */
MUST_USE enum status access_token_check_name(const char *name, struct fault *ret_fault);

#endif
