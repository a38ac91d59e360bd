/* Table users as administrators see it: also those who are disabled or deleted. */
#ifndef STORE_ACCOUNTS_H
#define STORE_ACCOUNTS_H

#include "db/db.h"
#include "model/user.h"

/* ERR_NOT_FOUND, code `user_not_found`. */
MUST_USE enum status accounts_get(struct db *db, struct arena *arena, const char *user_id, struct user *ret_user,
				  struct fault *ret_fault);

/* By the folded key of a username, also that of somebody who was deleted. ERR_NOT_FOUND. */
MUST_USE enum status accounts_find(struct db *db, struct arena *arena, const char *username_key, struct user *ret_user);

/* By username_key, after `after_key`. `prefix` is folded ("": all); `state` is all, active, disabled or deleted. */
struct accounts_filter {
	const char *prefix, *state;
};

/* Whether it is one of the states above. */
bool accounts_state_is_known(const char *state);
MUST_USE enum status accounts_list(struct db *db, struct arena *arena, const struct accounts_filter *filter,
				   const char *after_key, int64_t limit, struct user **ret_users, size_t *ret_n,
				   bool *ret_more);

/* Ids of the admins that can log in, and whether there is one besides `user_id`. */
MUST_USE enum status accounts_active_admins(struct db *db, struct arena *arena, char (**ret_ids)[ID_SIZE],
					    size_t *ret_n);
MUST_USE enum status accounts_has_other_admin(struct db *db, const char *user_id, bool *ret_has);

MUST_USE enum status accounts_set_disabled(struct db *db, const char *user_id, int64_t disabled_at_ms);
MUST_USE enum status accounts_set_role(struct db *db, const char *user_id, const char *role);

/* A password that has to be changed before anything else. */
MUST_USE enum status accounts_reset_password(struct db *db, const char *user_id, const char *password_hash);

/* Takes name, password and where the person logged in from; username_key stays, so that nobody can take the name over. */
MUST_USE enum status accounts_erase(struct db *db, const char *user_id, int64_t now_ms);

/* Ids of log-ins of any kind that have not ended. */
MUST_USE enum status accounts_live_sessions(struct db *db, struct arena *arena, const char *user_id, int64_t now_ms,
					    char (**ret_ids)[ID_SIZE], size_t *ret_n);

#endif
