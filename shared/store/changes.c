/* What changed in a stream since a revision: see changes.h. A row carries the revision of its last change, so the answer is
 * the state of those rows, as small as the final state however much happened. */
#include "store/changes.h"

#include "store/blocks.h"
#include "store/conversations.h"
#include "store/messages.h"
#include "store/reactions.h"
#include "store/rows.h"

enum { SNAPSHOT_MESSAGES = 50 };

static enum status
not_found(struct fault *ret_fault)
{
	return fault_set(ret_fault, ERR_NOT_FOUND, "conversation_not_found", NULL, "There is no such conversation.");
}

/* How far a page of at most `limit` rows goes when no revision may be split: rows come by revision. */
struct extent {
	int64_t head, limit, n_rows;
	int64_t first_rev; /* of the first row; 0: none yet */
	int64_t until;     /* the last revision that is fully included */
};

static struct extent
extent_start(int64_t head, int64_t limit)
{
	return (struct extent){.head = head, .limit = limit, .until = head};
}

/* Counts one more row; false when the page is full. A first revision larger than the limit is given whole. */
static bool
extent_add(struct extent *extent, int64_t rev)
{
	if (extent->n_rows++ == 0)
		extent->first_rev = rev;
	if (extent->n_rows <= extent->limit)
		return true;
	extent->until = rev > extent->first_rev ? rev - 1 : rev;
	return false;
}

/* The head of the stream and the revision of the row itself; both 0 when there is no such conversation. */
static enum status
read_head(struct db *db, const char *conversation_id, int64_t *ret_head, int64_t *ret_rev)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, "SELECT last_rev, rev FROM conversations WHERE id = $1");
	bool row;

	db_bind_text(stmt, 1, conversation_id);
	TRY(db_one(stmt, &row));
	*ret_head = row ? db_column_int64(stmt, 0) : 0;
	*ret_rev = row ? db_column_int64(stmt, 1) : 0;
	return OK;
}

static enum status
read_extent(struct db *db, const char *conversation_id, int64_t after_rev, struct extent *extent)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db,
			   "SELECT rev FROM messages WHERE conversation_id = $1 AND rev > $2 AND rev <= $3"
			   " UNION ALL SELECT rev FROM members WHERE conversation_id = $1 AND rev > $2 AND rev <= $3"
			   " UNION ALL SELECT rev FROM conversations WHERE id = $1 AND rev > $2 AND rev <= $3"
			   " ORDER BY rev LIMIT $4");
	bool row;

	db_bind_text(stmt, 1, conversation_id);
	db_bind_int64(stmt, 2, after_rev);
	db_bind_int64(stmt, 3, extent->head);
	db_bind_int64(stmt, 4, extent->limit + 1);
	for (;;) {
		TRY(db_step(stmt, &row));
		if (!row || !extent_add(extent, db_column_int64(stmt, 0)))
			return OK;
	}
}

static enum status
read_messages(struct db *db, struct arena *arena, const char *conversation_id, struct changes *changes)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT " ROWS_MESSAGE_COLUMNS(
				       "x") " FROM messages x"
					    " WHERE x.conversation_id = $1 AND x.rev > $2 AND x.rev <= $3"
					    " ORDER BY x.rev, x.seq");
	bool row;

	db_bind_text(stmt, 1, conversation_id);
	db_bind_int64(stmt, 2, changes->after_rev);
	db_bind_int64(stmt, 3, changes->next_after_rev);
	for (;;) {
		TRY(db_step(stmt, &row));
		if (!row)
			return OK;
		changes->messages = rows_grow(arena, changes->messages, changes->n_messages, sizeof *changes->messages);
		rows_read_message(stmt, 0, arena, &changes->messages[changes->n_messages++]);
	}
}

static enum status
read_members(struct db *db, struct arena *arena, const char *conversation_id, struct changes *changes)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db,
			   "SELECT " ROWS_MEMBER_COLUMNS " FROM members m JOIN users u ON u.id = m.user_id"
			   " WHERE m.conversation_id = $1 AND m.rev > $2 AND m.rev <= $3 ORDER BY m.rev, m.user_id");
	bool row;

	db_bind_text(stmt, 1, conversation_id);
	db_bind_int64(stmt, 2, changes->after_rev);
	db_bind_int64(stmt, 3, changes->next_after_rev);
	for (;;) {
		TRY(db_step(stmt, &row));
		if (!row)
			return OK;
		changes->members = rows_grow(arena, changes->members, changes->n_members, sizeof *changes->members);
		rows_read_member(stmt, arena, &changes->members[changes->n_members++]);
	}
}

static enum status
read_conversation(struct db *db, struct arena *arena, const char *conversation_id, const char *user_id,
		  struct changes *changes)
{
	changes->conversation = arena_alloc(arena, sizeof *changes->conversation);
	if (user_id)
		return conversations_get(db, arena, conversation_id, user_id, changes->conversation, NULL);
	return conversations_get_row(db, arena, conversation_id, changes->conversation);
}

enum status
changes_of_conversation(struct db *db, struct arena *arena, const char *conversation_id, const char *user_id,
			int64_t after_rev, int64_t limit, struct changes *ret_changes, struct fault *ret_fault)
{
	CLEANUP_SNAPSHOT struct rows_snapshot snapshot = {0};
	struct changes changes = {.after_rev = after_rev};
	struct head membership;
	struct extent extent;
	int64_t own_rev;

	TRY(rows_snapshot_begin(db, &snapshot));
	if (user_id)
		TRY(conversations_head(db, conversation_id, user_id, &membership, ret_fault));
	TRY(read_head(db, conversation_id, &changes.last_rev, &own_rev));
	if (changes.last_rev == 0)
		return not_found(ret_fault);
	extent = extent_start(changes.last_rev, limit);
	TRY(read_extent(db, conversation_id, after_rev, &extent));
	changes.next_after_rev = extent.until;
	changes.has_more = extent.until < changes.last_rev;
	if (extent.n_rows > 0) {
		TRY(read_messages(db, arena, conversation_id, &changes));
		TRY(reactions_attach(db, arena, changes.messages, changes.n_messages));
		TRY(read_members(db, arena, conversation_id, &changes));
	}
	if (own_rev > after_rev && own_rev <= extent.until)
		TRY(read_conversation(db, arena, conversation_id, user_id, &changes));
	*ret_changes = changes;
	return OK;
}

enum status
changes_snapshot(struct db *db, struct arena *arena, const char *conversation_id, const char *user_id,
		 struct changes *ret_changes, int64_t *ret_head, struct fault *ret_fault)
{
	CLEANUP_SNAPSHOT struct rows_snapshot snapshot = {0};
	struct changes changes = {.snapshot = true};
	struct message_page page;
	int64_t own_rev;

	TRY(rows_snapshot_begin(db, &snapshot));
	TRY(read_head(db, conversation_id, ret_head, &own_rev));
	changes.conversation = arena_alloc(arena, sizeof *changes.conversation);
	TRY(conversations_get(db, arena, conversation_id, user_id, changes.conversation, ret_fault));
	TRY(messages_page(db, arena, conversation_id, user_id, MESSAGES_NEWEST, 0, SNAPSHOT_MESSAGES, &page,
			  ret_fault));
	changes.messages = page.items;
	changes.n_messages = page.n_items;
	changes.last_rev = changes.next_after_rev = *ret_head;
	*ret_changes = changes;
	return OK;
}

/* *ret_gone: disabled or deleted. */
static enum status
read_person_head(struct db *db, const char *user_id, int64_t *ret_head, bool *ret_gone)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT last_rev, disabled_at, deleted_at FROM users WHERE id = $1");
	bool row;

	db_bind_text(stmt, 1, user_id);
	TRY(db_one(stmt, &row));
	if (!row)
		return ERR_NOT_FOUND;
	*ret_head = db_column_int64(stmt, 0);
	*ret_gone = !db_column_is_null(stmt, 1) || !db_column_is_null(stmt, 2);
	return OK;
}

static enum status
read_person_extent(struct db *db, const char *user_id, int64_t after_rev, struct extent *extent)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(
		db, "SELECT user_rev FROM members WHERE user_id = $1 AND user_rev > $2 AND user_rev <= $3"
		    " UNION ALL SELECT user_rev FROM blocks WHERE user_id = $1 AND user_rev > $2 AND user_rev <= $3"
		    " ORDER BY user_rev LIMIT $4");
	bool row;

	db_bind_text(stmt, 1, user_id);
	db_bind_int64(stmt, 2, after_rev);
	db_bind_int64(stmt, 3, extent->head);
	db_bind_int64(stmt, 4, extent->limit + 1);
	for (;;) {
		TRY(db_step(stmt, &row));
		if (!row || !extent_add(extent, db_column_int64(stmt, 0)))
			return OK;
	}
}

static void
read_membership(struct db_stmt *stmt, struct membership *ret_membership)
{
	db_column_copy(stmt, 0, ret_membership->conversation_id, sizeof ret_membership->conversation_id);
	ret_membership->left = !db_column_is_null(stmt, 1) || !db_column_is_null(stmt, 2);
	ret_membership->user_rev = db_column_int64(stmt, 3);
	ret_membership->member_rev = db_column_int64(stmt, 4);
	ret_membership->read_seq = db_column_int64(stmt, 5);
	ret_membership->delivered_seq = db_column_int64(stmt, 6);
	ret_membership->head = db_column_int64(stmt, 7);
	ret_membership->muted_until_ms = db_column_int64(stmt, 9);
	db_column_copy(stmt, 10, ret_membership->role, sizeof ret_membership->role);
	if (!db_column_is_null(stmt, 2)) /* what ended it is a change of the conversation, not of the member */
		ret_membership->member_rev = db_column_int64(stmt, 8);
}

static enum status
read_memberships(struct db *db, struct arena *arena, const char *user_id, struct person_changes *changes)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(
		db,
		"SELECT m.conversation_id, m.left_at, c.deleted_at, m.user_rev, m.rev, m.read_seq, m.delivered_seq,"
		" c.last_rev, c.rev, m.muted_until, m.role FROM members m JOIN conversations c ON c.id = m.conversation_id"
		" WHERE m.user_id = $1 AND m.user_rev > $2 AND m.user_rev <= $3 ORDER BY m.user_rev, m.conversation_id");
	bool row;

	db_bind_text(stmt, 1, user_id);
	db_bind_int64(stmt, 2, changes->after_rev);
	db_bind_int64(stmt, 3, changes->next_after_rev);
	for (;;) {
		TRY(db_step(stmt, &row));
		if (!row)
			return OK;
		changes->memberships =
			rows_grow(arena, changes->memberships, changes->n_memberships, sizeof *changes->memberships);
		read_membership(stmt, &changes->memberships[changes->n_memberships++]);
	}
}

static enum status
read_session_ids(struct db_stmt *stmt, struct arena *arena, struct person_changes *changes)
{
	bool row;

	for (;;) {
		TRY(db_step(stmt, &row));
		if (!row)
			return OK;
		changes->revoked_session_ids =
			rows_grow(arena, changes->revoked_session_ids, changes->n_revoked_sessions,
				  sizeof *changes->revoked_session_ids);
		db_column_copy(stmt, 0, changes->revoked_session_ids[changes->n_revoked_sessions++], ID_SIZE);
	}
}

static enum status
read_revoked_sessions(struct db *db, struct arena *arena, const char *user_id, struct person_changes *changes)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT id FROM sessions WHERE user_id = $1 AND user_rev > $2"
			       " AND user_rev <= $3 AND revoked_at IS NOT NULL");

	db_bind_text(stmt, 1, user_id);
	db_bind_int64(stmt, 2, changes->after_rev);
	db_bind_int64(stmt, 3, changes->next_after_rev);
	return read_session_ids(stmt, arena, changes);
}

static enum status
read_all_sessions(struct db *db, struct arena *arena, const char *user_id, struct person_changes *changes)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, "SELECT id FROM sessions WHERE user_id = $1");

	db_bind_text(stmt, 1, user_id);
	return read_session_ids(stmt, arena, changes);
}

enum status
changes_of_person(struct db *db, struct arena *arena, const char *user_id, int64_t after_rev, int64_t limit,
		  struct person_changes *ret_changes)
{
	CLEANUP_SNAPSHOT struct rows_snapshot snapshot = {0};
	struct person_changes changes = {.after_rev = after_rev};
	struct extent extent;
	bool gone;

	TRY(rows_snapshot_begin(db, &snapshot));
	TRY(read_person_head(db, user_id, &changes.last_rev, &gone));
	extent = extent_start(changes.last_rev, limit);
	TRY(read_person_extent(db, user_id, after_rev, &extent));
	changes.next_after_rev = extent.until;
	changes.has_more = extent.until < changes.last_rev;
	if (extent.n_rows > 0) {
		TRY(read_memberships(db, arena, user_id, &changes));
		TRY(blocks_changed(db, arena, user_id, &changes));
	}
	if (gone)
		TRY(read_all_sessions(db, arena, user_id, &changes));
	else
		TRY(read_revoked_sessions(db, arena, user_id, &changes));
	*ret_changes = changes;
	return OK;
}
