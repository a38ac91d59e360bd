/* Groups in the tables conversations and members: see groups.h. A membership that has ended stays as a row, so that a pull
 * finds it; the primary key (conversation_id, user_id) is the order of the pages. */
#include "store/groups.h"

#include <string.h>

#include "store/rows.h"

static const char *
role_literal(const char *role)
{
	return strcmp(role, "owner") == 0 ? "owner" : strcmp(role, "admin") == 0 ? "admin" : "member";
}

enum status
groups_state(struct db *db, struct arena *arena, const char *conversation_id, const char *user_id,
	     struct group_state *ret_state, struct fault *ret_fault)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(
		db, "SELECT c.kind, c.title, c.slow_mode_s, c.member_count, m.role, c.rev FROM members m"
		    " JOIN conversations c ON c.id = m.conversation_id"
		    " WHERE m.conversation_id = $1 AND m.user_id = $2 AND m.left_at IS NULL AND c.deleted_at IS NULL");
	bool row;

	db_bind_text(stmt, 1, conversation_id);
	db_bind_text(stmt, 2, user_id);
	TRY(db_one(stmt, &row));
	if (!row)
		return fault_set(ret_fault, ERR_NOT_FOUND, "conversation_not_found", NULL,
				 "There is no such conversation.");
	*ret_state = (struct group_state){
		.is_group = strcmp(db_column_text(stmt, 0, arena), "group") == 0,
		.title = db_column_text(stmt, 1, arena),
		.slow_mode_s = db_column_int64(stmt, 2),
		.member_count = db_column_int64(stmt, 3),
		.role = role_literal(db_column_text(stmt, 4, arena)),
		.rev = db_column_int64(stmt, 5),
	};
	return OK;
}

enum status
groups_owner(struct db *db, const char *conversation_id, struct group_owner *ret_owner, struct fault *ret_fault)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(
		db, "SELECT m.user_id, CASE WHEN u.disabled_at IS NULL AND u.deleted_at IS NULL THEN 1 ELSE 0 END"
		    " FROM conversations c LEFT JOIN members m ON m.conversation_id = c.id AND m.role = 'owner'"
		    " AND m.left_at IS NULL LEFT JOIN users u ON u.id = m.user_id"
		    " WHERE c.id = $1 AND c.deleted_at IS NULL");
	bool row;

	db_bind_text(stmt, 1, conversation_id);
	TRY(db_one(stmt, &row));
	if (!row)
		return fault_set(ret_fault, ERR_NOT_FOUND, "conversation_not_found", NULL,
				 "There is no such conversation.");
	if (db_column_is_null(stmt, 0))
		return fault_set(ret_fault, ERR_CONFLICT, "not_a_group", NULL,
				 "A direct conversation is of its two people for ever: it has no owner.");
	db_column_copy(stmt, 0, ret_owner->user_id, ID_SIZE);
	ret_owner->can_log_in = db_column_int64(stmt, 1) != 0;
	return OK;
}

enum status
groups_creator(struct db *db, const char *conversation_id, bool *ret_found, char ret_user_id[ID_SIZE])
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, "SELECT created_by FROM conversations WHERE id = $1");

	db_bind_text(stmt, 1, conversation_id);
	TRY(db_one(stmt, ret_found));
	if (*ret_found)
		db_column_copy(stmt, 0, ret_user_id, ID_SIZE);
	return OK;
}

enum status
groups_insert(struct db *db, const char *conversation_id, const char *title, const char *created_by,
	      int64_t member_count, int64_t now_ms)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "INSERT INTO conversations"
			       " (id, kind, title, rev, last_rev, change_no, created_by, created_at, member_count)"
			       " VALUES ($1, 'group', $2, 1, 1, $3, $4, $5, $6)");
	int64_t change_no;

	TRY(db_change_no(db, &change_no));
	db_bind_text(stmt, 1, conversation_id);
	db_bind_text(stmt, 2, title);
	db_bind_int64(stmt, 3, change_no);
	db_bind_text(stmt, 4, created_by);
	db_bind_int64(stmt, 5, now_ms);
	db_bind_int64(stmt, 6, member_count);
	return db_run(stmt);
}

enum status
groups_advance(struct db *db, const char *conversation_id, const struct group_state *state, int64_t deleted_at_ms,
	       int64_t *ret_rev)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "UPDATE conversations SET last_rev = last_rev + 1, rev = last_rev + 1, change_no = $2,"
			       " title = $3, slow_mode_s = $4, member_count = $5, deleted_at = $6"
			       " WHERE id = $1 RETURNING last_rev");
	int64_t change_no;
	bool row;

	TRY(db_change_no(db, &change_no));
	db_bind_text(stmt, 1, conversation_id);
	db_bind_int64(stmt, 2, change_no);
	db_bind_text(stmt, 3, state->title);
	db_bind_int64(stmt, 4, state->slow_mode_s);
	db_bind_int64(stmt, 5, state->member_count);
	if (deleted_at_ms)
		db_bind_int64(stmt, 6, deleted_at_ms);
	else
		db_bind_null(stmt, 6);
	TRY(db_one(stmt, &row));
	if (!row)
		return ERR_NOT_FOUND;
	*ret_rev = db_column_int64(stmt, 0);
	return OK;
}

enum status
groups_member(struct db *db, struct arena *arena, const char *conversation_id, const char *user_id, bool *ret_found,
	      struct member *ret_member)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT " ROWS_MEMBER_COLUMNS " FROM members m JOIN users u ON u.id = m.user_id"
			       " WHERE m.conversation_id = $1 AND m.user_id = $2");

	db_bind_text(stmt, 1, conversation_id);
	db_bind_text(stmt, 2, user_id);
	TRY(db_one(stmt, ret_found));
	if (*ret_found)
		rows_read_member(stmt, arena, ret_member);
	return OK;
}

enum status
groups_join(struct db *db, const struct member *member, bool again)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(
		db, again ? "UPDATE members SET role = $3, rev = $4, user_rev = $5, joined_at = $6, left_at = NULL,"
			    " muted_until = NULL, read_seq = (SELECT last_seq FROM conversations WHERE id = $1),"
			    " delivered_seq = (SELECT last_seq FROM conversations WHERE id = $1)"
			    " WHERE conversation_id = $1 AND user_id = $2"
			  : "INSERT INTO members"
			    " (conversation_id, user_id, role, rev, user_rev, joined_at, read_seq, delivered_seq)"
			    " VALUES ($1, $2, $3, $4, $5, $6, (SELECT last_seq FROM conversations WHERE id = $1),"
			    " (SELECT last_seq FROM conversations WHERE id = $1))");

	db_bind_text(stmt, 1, member->conversation_id);
	db_bind_text(stmt, 2, member->user_id);
	db_bind_text(stmt, 3, member->role);
	db_bind_int64(stmt, 4, member->rev);
	db_bind_int64(stmt, 5, member->user_rev);
	db_bind_int64(stmt, 6, member->joined_at_ms);
	return db_run(stmt);
}

enum status
groups_set_role(struct db *db, const char *conversation_id, const char *user_id, const char *role, int64_t rev,
		int64_t user_rev)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, "UPDATE members SET role = $3, rev = $4, user_rev = $5"
							   " WHERE conversation_id = $1 AND user_id = $2");

	db_bind_text(stmt, 1, conversation_id);
	db_bind_text(stmt, 2, user_id);
	db_bind_text(stmt, 3, role);
	db_bind_int64(stmt, 4, rev);
	db_bind_int64(stmt, 5, user_rev);
	return db_run(stmt);
}

enum status
groups_leave(struct db *db, const struct member *member)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "UPDATE members SET rev = $3, left_rev = $3, user_rev = $4, left_at = $5"
			       " WHERE conversation_id = $1 AND user_id = $2");

	db_bind_text(stmt, 1, member->conversation_id);
	db_bind_text(stmt, 2, member->user_id);
	db_bind_int64(stmt, 3, member->rev);
	db_bind_int64(stmt, 4, member->user_rev);
	db_bind_int64(stmt, 5, member->left_at_ms);
	return db_run(stmt);
}

enum status
groups_members(struct db *db, struct arena *arena, const char *conversation_id, const char *caller_id,
	       const char *after_id, int64_t limit, struct member **ret_members, size_t *ret_n, bool *ret_more)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(
		db,
		"SELECT " ROWS_MEMBER_COLUMNS " FROM members m JOIN users u ON u.id = m.user_id"
		" WHERE m.conversation_id = $1 AND m.user_id > $3 AND m.left_at IS NULL AND EXISTS"
		" (SELECT 1 FROM members own JOIN conversations c ON c.id = own.conversation_id"
		" WHERE own.conversation_id = $1 AND own.user_id = $2 AND own.left_at IS NULL AND c.deleted_at IS NULL)"
		" ORDER BY m.user_id LIMIT $4");
	bool row;

	*ret_members = NULL;
	*ret_n = 0;
	db_bind_text(stmt, 1, conversation_id);
	db_bind_text(stmt, 2, caller_id);
	db_bind_text(stmt, 3, after_id);
	db_bind_int64(stmt, 4, limit + 1);
	for (;;) {
		TRY(db_step(stmt, &row));
		if (!row || *ret_n == (size_t)limit)
			break;
		*ret_members = rows_grow(arena, *ret_members, *ret_n, sizeof **ret_members);
		rows_read_member(stmt, arena, &(*ret_members)[(*ret_n)++]);
	}
	*ret_more = row;
	return OK;
}

enum status
groups_everybody(struct db *db, struct arena *arena, const char *conversation_id, struct member **ret_members,
		 size_t *ret_n)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT user_id, user_rev FROM members WHERE conversation_id = $1 AND left_at IS NULL");
	bool row;

	*ret_members = NULL;
	*ret_n = 0;
	db_bind_text(stmt, 1, conversation_id);
	for (;;) {
		TRY(db_step(stmt, &row));
		if (!row)
			return OK;
		*ret_members = rows_grow(arena, *ret_members, *ret_n, sizeof **ret_members);
		struct member *member = &(*ret_members)[(*ret_n)++];
		*member = (struct member){.user_rev = db_column_int64(stmt, 1)};
		db_column_copy(stmt, 0, member->user_id, sizeof member->user_id);
	}
}

static enum status
advance_everybody(struct db *db, const char *conversation_id)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "UPDATE users SET last_rev = last_rev + 1, change_no = $2 WHERE id IN"
			       " (SELECT user_id FROM members WHERE conversation_id = $1 AND left_at IS NULL)");
	int64_t change_no;

	TRY(db_change_no(db, &change_no));
	db_bind_text(stmt, 1, conversation_id);
	db_bind_int64(stmt, 2, change_no);
	return db_run(stmt);
}

enum status
groups_tell_everybody(struct db *db, const char *conversation_id)
{
	TRY(advance_everybody(db, conversation_id));

	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "UPDATE members SET user_rev = (SELECT last_rev FROM users WHERE id = members.user_id)"
			       " WHERE conversation_id = $1 AND left_at IS NULL");

	db_bind_text(stmt, 1, conversation_id);
	return db_run(stmt);
}

enum status
groups_heir(struct db *db, const char *conversation_id, const char *user_id, bool *ret_found, char ret_heir_id[ID_SIZE])
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(
		db, "SELECT m.user_id FROM members m JOIN users u ON u.id = m.user_id"
		    " WHERE m.conversation_id = $1 AND m.user_id <> $2 AND m.left_at IS NULL AND u.deleted_at IS NULL"
		    " ORDER BY CASE WHEN u.disabled_at IS NULL THEN 0 ELSE 1 END,"
		    " CASE WHEN m.role = 'admin' THEN 0 ELSE 1 END, m.joined_at, m.user_id LIMIT 1");

	db_bind_text(stmt, 1, conversation_id);
	db_bind_text(stmt, 2, user_id);
	TRY(db_one(stmt, ret_found));
	if (*ret_found)
		db_column_copy(stmt, 0, ret_heir_id, ID_SIZE);
	return OK;
}

enum status
groups_next_of(struct db *db, const char *user_id, const char *after_id, bool *ret_found, char ret_id[ID_SIZE])
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db,
			   "SELECT m.conversation_id FROM members m JOIN conversations c ON c.id = m.conversation_id"
			   " WHERE m.user_id = $1 AND m.conversation_id > $2 AND m.left_at IS NULL AND c.kind = 'group'"
			   " AND c.deleted_at IS NULL ORDER BY m.conversation_id LIMIT 1");

	db_bind_text(stmt, 1, user_id);
	db_bind_text(stmt, 2, after_id);
	TRY(db_one(stmt, ret_found));
	if (*ret_found)
		db_column_copy(stmt, 0, ret_id, ID_SIZE);
	return OK;
}

enum status
groups_next_to_retire(struct db *db, const char *after_id, bool *ret_found, char ret_user_id[ID_SIZE])
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(
		db, "SELECT u.id FROM users u WHERE u.id > $1 AND u.deleted_at IS NOT NULL AND EXISTS"
		    " (SELECT 1 FROM members m JOIN conversations c ON c.id = m.conversation_id"
		    " WHERE m.user_id = u.id AND m.left_at IS NULL AND c.kind = 'group' AND c.deleted_at IS NULL)"
		    " ORDER BY u.id LIMIT 1");

	db_bind_text(stmt, 1, after_id);
	TRY(db_one(stmt, ret_found));
	if (*ret_found)
		db_column_copy(stmt, 0, ret_user_id, ID_SIZE);
	return OK;
}
