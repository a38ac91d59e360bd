/* A person: the OpenAPI schemas User (what anybody may see) and Me (what they see of themselves). */
#ifndef MODEL_USER_H
#define MODEL_USER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/id.h"
#include "base/status.h"

enum {
	USERNAME_MIN = 3,
	USERNAME_MAX = 32,     /* characters of [a-z0-9_.-] after folding */
	DISPLAY_NAME_MAX = 64, /* code points */
};

struct user {
	char id[ID_SIZE];
	const char *username;     /* folded form as shown */
	const char *username_key; /* unique form for comparing */
	const char *display_name;
	const char *role; /* "member" or "admin" */
	int64_t last_rev;
	int64_t created_at_ms;
	int64_t disabled_at_ms; /* 0: active */
	int64_t deleted_at_ms;
	bool must_change_password; /* before anything else */
};

/* Folds and checks a username; ERR_INVALID (field "username"). Both results live in the arena. */
MUST_USE enum status user_name_check(struct arena *arena, const char *username, const char **ret_username,
				     const char **ret_key, struct fault *ret_fault);

/* The same for an account to be made: refuses names that read like the one of those who were deleted. */
MUST_USE enum status user_new_name_check(struct arena *arena, const char *username, const char **ret_username,
					 const char **ret_key, struct fault *ret_fault);

/* 1-64 code points, no controls, no invisible or bidirectional characters, not blank, not "deleted user"; ERR_INVALID (field "display_name"). */
MUST_USE enum status user_display_name_check(const char *display_name, struct fault *ret_fault);

json_t *user_to_json(const struct user *user); /* id, username, display_name */
json_t *me_to_json(const struct user *user);   /* User + role, created_at, must_change_password */
/* Me + state (active, disabled, deleted), disabled_at, deleted_at: for administrators. */
json_t *account_to_json(const struct user *user);

#endif
