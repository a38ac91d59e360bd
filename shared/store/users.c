/* Table users: see users.h. */
#include "store/users.h"

#include <string.h>

#include "base/text.h"
#include "store/rows.h"

/* Sorts after every text that begins with the same prefix. */
#define HIGHEST "\xf4\x8f\xbf\xbf"

/* Looked up before inserting, because a constraint that fails ends the transaction, and with it the batch. */
static enum status
check_name_is_free(struct db *db, const char *username_key, struct fault *ret_fault)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, "SELECT 1 FROM users WHERE username_key = $1");
	bool row;

	db_bind_text(stmt, 1, username_key);
	TRY(db_one(stmt, &row));
	if (row)
		return fault_set(ret_fault, ERR_CONFLICT, "username_taken", "username", "This username is taken.");
	return OK;
}

static enum status
insert(struct db *db, struct user *user, const char *display_name_key, const char *password_hash)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(
		db,
		"INSERT INTO users (id, username, username_key, display_name, display_name_key, password_hash, role, created_at)"
		" VALUES ($1, $2, $3, $4, $5, $6, CASE WHEN EXISTS (SELECT 1 FROM users) THEN 'member' ELSE 'admin' END, $7)"
		" RETURNING role");
	char role[8];
	bool row;

	db_bind_text(stmt, 1, user->id);
	db_bind_text(stmt, 2, user->username);
	db_bind_text(stmt, 3, user->username_key);
	db_bind_text(stmt, 4, user->display_name);
	db_bind_text(stmt, 5, display_name_key);
	db_bind_text(stmt, 6, password_hash);
	db_bind_int64(stmt, 7, user->created_at_ms);
	TRY(db_one(stmt, &row));
	db_column_copy(stmt, 0, role, sizeof role);
	user->role = strcmp(role, "admin") == 0 ? "admin" : "member";
	return OK;
}

/* Two first sign-ups that don't see each other yet would both be the first: the one that comes second waits here for the other
 * one's commit, and then sees it. Once there is somebody, nobody comes here. */
static enum status
settle_first(struct db *db, struct user *user)
{
	CLEANUP_STMT struct db_stmt *wait = db_prepare(db, "UPDATE meta SET value = value WHERE key = 'schema'");
	CLEANUP_STMT struct db_stmt *look =
		db_prepare(db, "UPDATE users SET role = 'member' WHERE id = $1"
			       " AND EXISTS (SELECT 1 FROM users WHERE id <> $1) RETURNING role");
	bool second;

	TRY(db_run(wait));
	db_bind_text(look, 1, user->id);
	TRY(db_one(look, &second));
	if (second)
		user->role = "member";
	return OK;
}

enum status
users_insert(struct db *db, struct user *user, const char *password_hash, struct fault *ret_fault)
{
	CLEANUP(arena_finish) struct arena arena = {0};
	enum status status;

	TRY(check_name_is_free(db, user->username_key, ret_fault));
	status = insert(db, user, text_fold(&arena, user->display_name), password_hash);
	if (status == ERR_CONFLICT) /* another writer was faster */
		return fault_set(ret_fault, ERR_CONFLICT, "username_taken", "username", "This username is taken.");
	TRY(status);
	return strcmp(user->role, "admin") == 0 ? settle_first(db, user) : OK;
}

static enum status
not_found(struct fault *ret_fault)
{
	return fault_set(ret_fault, ERR_NOT_FOUND, "user_not_found", NULL, "There is no such person.");
}

enum status
users_get(struct db *db, struct arena *arena, const char *user_id, struct user *ret_user, struct fault *ret_fault)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT " ROWS_USER_COLUMNS " FROM users WHERE id = $1 AND deleted_at IS NULL");
	bool row;

	db_bind_text(stmt, 1, user_id);
	TRY(db_one(stmt, &row));
	if (!row)
		return not_found(ret_fault);
	rows_read_user(stmt, arena, ret_user);
	return OK;
}

enum status
users_get_stamped(struct db *db, struct arena *arena, const char *user_id, struct stamped_user *ret_user,
		  struct fault *ret_fault)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(
		db, "SELECT " ROWS_USER_COLUMNS ", (SELECT value FROM meta WHERE key = 'names'),"
		    " (SELECT value FROM meta WHERE key = 'epoch'), (SELECT value FROM meta WHERE key = 'timeline')"
		    " FROM users WHERE id = $1 AND deleted_at IS NULL");
	char epoch[META_VALUE_SIZE], written_on[META_VALUE_SIZE];
	bool row;

	db_bind_text(stmt, 1, user_id);
	TRY(db_one(stmt, &row));
	if (!row)
		return not_found(ret_fault);
	rows_read_user(stmt, arena, &ret_user->user);
	db_column_copy(stmt, ROWS_N_USER_COLUMNS, ret_user->names, sizeof ret_user->names);
	db_column_copy(stmt, ROWS_N_USER_COLUMNS + 1, epoch, sizeof epoch);
	db_column_copy(stmt, ROWS_N_USER_COLUMNS + 2, written_on, sizeof written_on);
	return meta_epoch_of(db, epoch, written_on, ret_user->epoch);
}

enum status
users_get_by_name(struct db *db, struct arena *arena, const char *username_key, struct user *ret_user,
		  const char **ret_password_hash)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT " ROWS_USER_COLUMNS
			       ", password_hash FROM users WHERE username_key = $1 AND deleted_at IS NULL");
	bool row;

	db_bind_text(stmt, 1, username_key);
	TRY(db_one(stmt, &row));
	if (!row)
		return ERR_NOT_FOUND;
	rows_read_user(stmt, arena, ret_user);
	*ret_password_hash = db_column_text(stmt, ROWS_N_USER_COLUMNS, arena);
	return OK;
}

enum status
users_find(struct db *db, struct arena *arena, const char *prefix, const char *after_key, int64_t limit,
	   struct user **ret_users, size_t *ret_n, bool *ret_more)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(
		db,
		"SELECT " ROWS_USER_COLUMNS " FROM users WHERE id IN"
		" (SELECT id FROM users WHERE username >= $1 AND username < $2"
		" UNION SELECT id FROM users WHERE display_name_key >= $1 AND display_name_key < $2)"
		" AND username_key > $3 AND disabled_at IS NULL AND deleted_at IS NULL ORDER BY username_key LIMIT $4");
	struct user *users = NULL;
	size_t n = 0;
	bool row;

	db_bind_text(stmt, 1, prefix);
	db_bind_text(stmt, 2, arena_printf(arena, "%s" HIGHEST, prefix));
	db_bind_text(stmt, 3, after_key);
	db_bind_int64(stmt, 4, limit + 1);
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

enum status
users_advance(struct db *db, const char *user_id, int64_t *ret_rev)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db,
			   "UPDATE users SET last_rev = last_rev + 1, change_no = $2 WHERE id = $1 RETURNING last_rev");
	int64_t change_no;
	bool row;

	TRY(db_change_no(db, &change_no));
	db_bind_text(stmt, 1, user_id);
	db_bind_int64(stmt, 2, change_no);
	TRY(db_one(stmt, &row));
	if (!row)
		return ERR_NOT_FOUND;
	*ret_rev = db_column_int64(stmt, 0);
	return OK;
}

enum status
users_password_hash(struct db *db, struct arena *arena, const char *user_id, const char **ret_hash)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT password_hash FROM users"
			       " WHERE id = $1 AND disabled_at IS NULL AND deleted_at IS NULL");
	bool row;

	db_bind_text(stmt, 1, user_id);
	TRY(db_one(stmt, &row));
	if (!row)
		return ERR_NOT_FOUND;
	*ret_hash = db_column_text(stmt, 0, arena);
	return OK;
}

enum status
users_set_password(struct db *db, const char *user_id, const char *password_hash)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "UPDATE users SET password_hash = $2, must_change_password = FALSE WHERE id = $1");

	db_bind_text(stmt, 1, user_id);
	db_bind_text(stmt, 2, password_hash);
	return db_run(stmt);
}

enum status
users_set_display_name(struct db *db, const char *user_id, const char *display_name)
{
	CLEANUP(arena_finish) struct arena arena = {0};
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "UPDATE users SET display_name = $2, display_name_key = $3 WHERE id = $1");

	db_bind_text(stmt, 1, user_id);
	db_bind_text(stmt, 2, display_name);
	db_bind_text(stmt, 3, text_fold(&arena, display_name));
	return db_run(stmt);
}
