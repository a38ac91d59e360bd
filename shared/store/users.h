/* Table users. */
#ifndef STORE_USERS_H
#define STORE_USERS_H

#include "db/db.h"
#include "model/user.h"
#include "store/meta.h"

/* Inserts; the very first user becomes admin (user->role is set). ERR_CONFLICT, code `username_taken`. */
MUST_USE enum status users_insert(struct db *db, struct user *user, const char *password_hash, struct fault *ret_fault);

/* ERR_NOT_FOUND (code `user_not_found`) also for a deleted one. */
MUST_USE enum status users_get(struct db *db, struct arena *arena, const char *user_id, struct user *ret_user,
			       struct fault *ret_fault);

/* The same with the epoch and the stamp of the names (struct standing) that are there with it. */
struct stamped_user {
	struct user user;
	char epoch[EVENT_EPOCH_SIZE], names[META_VALUE_SIZE];
};
MUST_USE enum status users_get_stamped(struct db *db, struct arena *arena, const char *user_id,
				       struct stamped_user *ret_user, struct fault *ret_fault);

/* For logging in: by folded name, with the password hash. ERR_NOT_FOUND. */
MUST_USE enum status users_get_by_name(struct db *db, struct arena *arena, const char *username_key,
				       struct user *ret_user, const char **ret_password_hash);

/* Active people whose username or display name begins with the folded `prefix`, ordered by username_key, after
 * `after_key` ("" = from the start); at most `limit`, *ret_more tells whether there are others. */
MUST_USE enum status users_find(struct db *db, struct arena *arena, const char *prefix, const char *after_key,
				int64_t limit, struct user **ret_users, size_t *ret_n, bool *ret_more);

/* The password hash of an active person; ERR_NOT_FOUND. */
MUST_USE enum status users_password_hash(struct db *db, struct arena *arena, const char *user_id,
					 const char **ret_hash);
MUST_USE enum status users_set_password(struct db *db, const char *user_id, const char *password_hash);

MUST_USE enum status users_set_display_name(struct db *db, const char *user_id, const char *display_name);

/* Advances the person's stream by one and returns its new rev; in a write transaction. ERR_NOT_FOUND. */
MUST_USE enum status users_advance(struct db *db, const char *user_id, int64_t *ret_rev);

#endif
