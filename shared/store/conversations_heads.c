/* The part of conversations.h that reads how far streams are: for hello, for pulls, and for the heads check. */
#include "store/conversations.h"

#include <string.h>

#include "store/rows.h"

enum status
conversations_heads(struct db *db, struct arena *arena, const char *user_id, int64_t *ret_me, struct head **ret_heads,
		    size_t *ret_n)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db,
			   "SELECT u.last_rev, c.id, c.last_seq, c.last_rev, m.rev,"
			   " coalesce(l.timestamp, c.created_at), c.member_count FROM users u"
			   " LEFT JOIN members m ON m.user_id = u.id AND m.left_at IS NULL"
			   " LEFT JOIN conversations c ON c.id = m.conversation_id AND c.deleted_at IS NULL"
			   " LEFT JOIN messages l ON l.conversation_id = c.id AND l.seq = c.last_seq WHERE u.id = $1");
	struct head *heads = NULL;
	bool found = false, row;
	size_t n = 0;

	db_bind_text(stmt, 1, user_id);
	for (;;) {
		TRY(db_step(stmt, &row));
		if (!row)
			break;
		found = true;
		*ret_me = db_column_int64(stmt, 0);
		if (db_column_is_null(stmt, 1))
			continue;
		heads = rows_grow(arena, heads, n, sizeof *heads);
		db_column_copy(stmt, 1, heads[n].conversation_id, sizeof heads[n].conversation_id);
		heads[n].last_seq = db_column_int64(stmt, 2);
		heads[n].last_rev = db_column_int64(stmt, 3);
		heads[n].member_rev = db_column_int64(stmt, 4);
		heads[n].activity_ms = db_column_int64(stmt, 5);
		heads[n++].member_count = db_column_int64(stmt, 6);
	}
	*ret_heads = heads;
	*ret_n = n;
	return found ? OK : ERR_NOT_FOUND;
}

enum status
conversations_head(struct db *db, const char *conversation_id, const char *user_id, struct head *ret_head,
		   struct fault *ret_fault)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(
		db, "SELECT c.id, c.last_seq, c.last_rev, m.rev FROM members m"
		    " JOIN conversations c ON c.id = m.conversation_id"
		    " WHERE m.conversation_id = $1 AND m.user_id = $2 AND m.left_at IS NULL AND c.deleted_at IS NULL");
	bool row;

	db_bind_text(stmt, 1, conversation_id);
	db_bind_text(stmt, 2, user_id);
	TRY(db_one(stmt, &row));
	if (!row)
		return fault_set(ret_fault, ERR_NOT_FOUND, "conversation_not_found", NULL,
				 "There is no such conversation.");
	db_column_copy(stmt, 0, ret_head->conversation_id, sizeof ret_head->conversation_id);
	ret_head->last_seq = db_column_int64(stmt, 1);
	ret_head->last_rev = db_column_int64(stmt, 2);
	ret_head->member_rev = db_column_int64(stmt, 3);
	return OK;
}

enum status
conversations_former_head(struct db *db, const char *conversation_id, const char *user_id, int64_t *ret_last_rev)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT c.last_rev FROM members m JOIN conversations c ON c.id = m.conversation_id"
			       " WHERE m.conversation_id = $1 AND m.user_id = $2");
	bool row;

	db_bind_text(stmt, 1, conversation_id);
	db_bind_text(stmt, 2, user_id);
	TRY(db_one(stmt, &row));
	if (!row)
		return ERR_NOT_FOUND;
	*ret_last_rev = db_column_int64(stmt, 0);
	return OK;
}

/* Appends the rows (channel, last_rev, member_count) of a bound statement. */
static enum status
read_stream_heads(struct db_stmt *stmt, struct arena *arena, struct stream_head **heads, size_t *n)
{
	bool row;

	for (;;) {
		TRY(db_step(stmt, &row));
		if (!row)
			return OK;
		*heads = rows_grow(arena, *heads, *n, sizeof **heads);
		db_column_copy(stmt, 0, (*heads)[*n].channel, sizeof(*heads)[*n].channel);
		(*heads)[*n].last_rev = db_column_int64(stmt, 1);
		(*heads)[(*n)++].member_count = db_column_int64(stmt, 2);
	}
}

enum status
conversations_changed(struct db *db, struct arena *arena, int64_t position, struct stream_head **ret_heads,
		      size_t *ret_n)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT 'c:' || id, last_rev, member_count FROM conversations WHERE change_no >= $1"
			       " UNION ALL SELECT 'u:' || id, last_rev, 0 FROM users WHERE change_no >= $1");

	*ret_heads = NULL;
	*ret_n = 0;
	db_bind_int64(stmt, 1, position);
	return read_stream_heads(stmt, arena, ret_heads, ret_n);
}

enum { IDS_A_QUERY = 32 };
#define ID_PARAMETERS                                                                                                     \
	"($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24," \
	" $25, $26, $27, $28, $29, $30, $31, $32)"

/* Reads the heads of the next channels of one kind from *at on, as many as fit into one query. */
static enum status
read_heads_of_kind(struct db *db, struct arena *arena, const char *sql, const char *const *channels, size_t n_channels,
		   size_t *at, struct stream_head **heads, size_t *n)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, sql);
	char kind = channels[*at][0];
	int bound = 0;

	for (; *at < n_channels && bound < IDS_A_QUERY; (*at)++)
		if (channels[*at][0] == kind)
			db_bind_text(stmt, ++bound, channels[*at] + 2);
	while (bound < IDS_A_QUERY)
		db_bind_null(stmt, ++bound);
	return read_stream_heads(stmt, arena, heads, n);
}

enum status
conversations_heads_of(struct db *db, struct arena *arena, const char *const *channels, size_t n_channels,
		       struct stream_head **ret_heads, size_t *ret_n)
{
	static const struct {
		char kind;
		const char *sql;
	} kinds[] = {
		{'c', "SELECT 'c:' || id, last_rev, member_count FROM conversations WHERE id IN " ID_PARAMETERS},
		{'u', "SELECT 'u:' || id, last_rev, 0 FROM users WHERE id IN " ID_PARAMETERS},
	};
	CLEANUP_SNAPSHOT struct rows_snapshot snapshot = {0};

	*ret_heads = NULL;
	*ret_n = 0;
	TRY(rows_snapshot_begin(db, &snapshot));
	for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
		for (size_t at = 0; at < n_channels;) {
			if (channels[at][0] != kinds[k].kind)
				at++;
			else
				TRY(read_heads_of_kind(db, arena, kinds[k].sql, channels, n_channels, &at, ret_heads,
						       ret_n));
		}
	return OK;
}
