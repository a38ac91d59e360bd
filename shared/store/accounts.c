/* Accounts for administrators: see accounts.h. */
#include "store/accounts.h"

#include <string.h>

#include "store/rows.h"

/* Sorts after every text that begins with the same prefix. */
#define HIGHEST "\xf4\x8f\xbf\xbf"

bool
accounts_state_is_known(const char *state)
{
	static const char *const states[] = {"all", "active", "disabled", "deleted"};

	for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
		if (strcmp(states[i], state) == 0)
			return true;
	return false;
}

enum status
accounts_get(struct db *db, struct arena *arena, const char *user_id, struct user *ret_user, struct fault *ret_fault)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, "SELECT " ROWS_USER_COLUMNS " FROM users WHERE id = $1");
	bool row;

	db_bind_text(stmt, 1, user_id);
	TRY(db_one(stmt, &row));
	if (!row)
		return fault_set(ret_fault, ERR_NOT_FOUND, "user_not_found", NULL, "There is no such person.");
	rows_read_user(stmt, arena, ret_user);
	return OK;
}

enum status
accounts_find(struct db *db, struct arena *arena, const char *username_key, struct user *ret_user)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT " ROWS_USER_COLUMNS " FROM users WHERE username_key = $1");
	bool row;

	db_bind_text(stmt, 1, username_key);
	TRY(db_one(stmt, &row));
	if (!row)
		return ERR_NOT_FOUND;
	rows_read_user(stmt, arena, ret_user);
	return OK;
}

enum status
accounts_list(struct db *db, struct arena *arena, const struct accounts_filter *filter, const char *after_key,
	      int64_t limit, struct user **ret_users, size_t *ret_n, bool *ret_more)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(
		db,
		"SELECT " ROWS_USER_COLUMNS " FROM users WHERE username_key > $1"
		" AND ($2 = '' OR (username >= $2 AND username < $3) OR (display_name_key >= $2 AND display_name_key < $3))"
		" AND ($4 = 'all' OR ($4 = 'active' AND disabled_at IS NULL AND deleted_at IS NULL)"
		" OR ($4 = 'disabled' AND disabled_at IS NOT NULL AND deleted_at IS NULL)"
		" OR ($4 = 'deleted' AND deleted_at IS NOT NULL)) ORDER BY username_key LIMIT $5");
	struct user *users = NULL;
	size_t n = 0;
	bool row;

	db_bind_text(stmt, 1, after_key);
	db_bind_text(stmt, 2, filter->prefix);
	db_bind_text(stmt, 3, arena_printf(arena, "%s" HIGHEST, filter->prefix));
	db_bind_text(stmt, 4, filter->state);
	db_bind_int64(stmt, 5, limit + 1);
	for (;;) {
		TRY(db_step(stmt, &row));
		if (!row || n == (size_t)limit)
			break;
		users = rows_grow(arena, users, n, sizeof *users);
		rows_read_user(stmt, arena, &users[n++]);
	}
	*ret_users = users;
	*ret_n = n;
	*ret_more = row;
	return OK;
}

static enum status
read_ids(struct db_stmt *stmt, struct arena *arena, char (**ret_ids)[ID_SIZE], size_t *ret_n)
{
	char(*ids)[ID_SIZE] = NULL;
	size_t n = 0;
	bool row;

	for (;;) {
		TRY(db_step(stmt, &row));
		if (!row)
			break;
		ids = rows_grow(arena, ids, n, sizeof *ids);
		db_column_copy(stmt, 0, ids[n++], ID_SIZE);
	}
	*ret_ids = ids;
	*ret_n = n;
	return OK;
}

enum status
accounts_active_admins(struct db *db, struct arena *arena, char (**ret_ids)[ID_SIZE], size_t *ret_n)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT id FROM users WHERE role = 'admin' AND disabled_at IS NULL"
			       " AND deleted_at IS NULL ORDER BY id");

	return read_ids(stmt, arena, ret_ids, ret_n);
}

enum status
accounts_has_other_admin(struct db *db, const char *user_id, bool *ret_has)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT 1 FROM users WHERE role = 'admin' AND disabled_at IS NULL"
			       " AND deleted_at IS NULL AND id <> $1 LIMIT 1");

	db_bind_text(stmt, 1, user_id);
	return db_one(stmt, ret_has);
}

enum status
accounts_set_disabled(struct db *db, const char *user_id, int64_t disabled_at_ms)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, "UPDATE users SET disabled_at = $2 WHERE id = $1");

	db_bind_text(stmt, 1, user_id);
	db_bind_time(stmt, 2, disabled_at_ms);
	return db_run(stmt);
}

enum status
accounts_set_role(struct db *db, const char *user_id, const char *role)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, "UPDATE users SET role = $2 WHERE id = $1");

	db_bind_text(stmt, 1, user_id);
	db_bind_text(stmt, 2, role);
	return db_run(stmt);
}

enum status
accounts_reset_password(struct db *db, const char *user_id, const char *password_hash)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "UPDATE users SET password_hash = $2, must_change_password = TRUE WHERE id = $1");

	db_bind_text(stmt, 1, user_id);
	db_bind_text(stmt, 2, password_hash);
	return db_run(stmt);
}

enum status
accounts_erase(struct db *db, const char *user_id, int64_t now_ms)
{
	CLEANUP_STMT struct db_stmt *person =
		db_prepare(db, "UPDATE users SET username = 'deleted', display_name = 'deleted user',"
			       " display_name_key = '', password_hash = '', role = 'member', deleted_at = $2"
			       " WHERE id = $1");
	CLEANUP_STMT struct db_stmt *sessions =
		db_prepare(db, "UPDATE sessions SET user_agent = NULL, address = NULL, name = NULL, prefix = NULL"
			       " WHERE user_id = $1");
	CLEANUP_STMT struct db_stmt *blocks = db_prepare(db, "DELETE FROM blocks WHERE user_id = $1");
	CLEANUP_STMT struct db_stmt *invites = db_prepare(db, "UPDATE invites SET note = NULL WHERE used_by = $1");

	db_bind_text(person, 1, user_id);
	db_bind_int64(person, 2, now_ms);
	TRY(db_run(person));
	db_bind_text(sessions, 1, user_id);
	TRY(db_run(sessions));
	db_bind_text(blocks, 1, user_id);
	TRY(db_run(blocks));
	db_bind_text(invites, 1, user_id);
	return db_run(invites);
}

enum status
accounts_live_sessions(struct db *db, struct arena *arena, const char *user_id, int64_t now_ms,
		       char (**ret_ids)[ID_SIZE], size_t *ret_n)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT id FROM sessions WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2");

	db_bind_text(stmt, 1, user_id);
	db_bind_int64(stmt, 2, now_ms);
	return read_ids(stmt, arena, ret_ids, ret_n);
}
