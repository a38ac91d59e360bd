/* Table connections, and who is counted: see connections.h. */
#include "store/connections.h"

#include <assert.h>
#include <string.h>

#include "store/rows.h"

enum status
connections_save(struct db *db, const struct presence *presence)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "INSERT INTO connections (user_id, connection_status, last_seen)"
			       " SELECT u.id, $2, CAST($3 AS BIGINT) FROM users u WHERE u.id = $1"
			       " ON CONFLICT (user_id) DO UPDATE SET connection_status = excluded.connection_status,"
			       " last_seen = excluded.last_seen WHERE connections.last_seen <= excluded.last_seen");

	assert(presence->status != PRESENCE_UNKNOWN);
	db_bind_text(stmt, 1, presence->user_id);
	db_bind_text(stmt, 2, presence_status_name(presence->status));
	db_bind_int64(stmt, 3, presence->last_seen_ms);
	return db_run(stmt);
}

static enum status
read_last_seen(struct db *db, struct presence *presence, bool *ret_exists)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT n.last_seen FROM users u LEFT JOIN connections n ON n.user_id = u.id"
			       " WHERE u.id = $1 AND u.deleted_at IS NULL");

	db_bind_text(stmt, 1, presence->user_id);
	TRY(db_one(stmt, ret_exists));
	presence->last_seen_ms = *ret_exists ? db_column_int64(stmt, 0) : 0;
	return OK;
}

enum status
connections_last_seen(struct db *db, struct presence *people, size_t n_people, bool *ret_exists)
{
	for (size_t i = 0; i < n_people; i++)
		TRY(read_last_seen(db, &people[i], &ret_exists[i]));
	return OK;
}

enum status
connections_member_ids(struct db *db, struct arena *arena, const char *conversation_id, char (**ret_ids)[ID_SIZE],
		       size_t *ret_n)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT user_id FROM members WHERE conversation_id = $1 AND left_at IS NULL");
	char(*ids)[ID_SIZE] = NULL;
	size_t n = 0;
	bool row;

	db_bind_text(stmt, 1, conversation_id);
	for (;;) {
		TRY(db_step(stmt, &row));
		if (!row)
			break;
		ids = rows_grow(arena, ids, n, sizeof *ids);
		db_column_copy(stmt, 0, ids[n++], sizeof *ids);
	}
	*ret_ids = ids;
	*ret_n = n;
	return OK;
}
