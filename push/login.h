/* Whether the log-in that a token names still holds, looked up off the loop. */
#ifndef PUSH_LOGIN_H
#define PUSH_LOGIN_H

#include "base/id.h"
#include "storage.h"

/* Embedded as the first member of the caller's struct; zero it, set the ids and `done`. */
struct login {
	struct storage_job job;
	char user_id[ID_SIZE];
	char session_id[ID_SIZE];
	/* The hash of a personal access token, which says what the ids are; "": they are given. */
	char token_hash[ID_SECRET_SIZE];
	int64_t last_used_at_ms, expires_at_ms; /* of the token */
	/* On the loop: `status` OK, ERR_UNAUTHORIZED (the session was ended, or the user is disabled), or another failure. Frees
	 * what `login` is embedded in. */
	void (*done)(struct login *login, enum status status);
};

void login_check(struct storage *storage, struct login *login);

#endif
