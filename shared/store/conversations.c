/* Tables conversations and members: see conversations.h. What is read here for the heads of streams stands in
 * conversations_heads.c. */
#include "store/conversations.h"

#include <string.h>

#include "store/conversations_shown.h"
#include "store/rows.h"
#include "store/users.h"

static enum status
not_found(struct fault *ret_fault)
{
	return fault_set(ret_fault, ERR_NOT_FOUND, "conversation_not_found", NULL, "There is no such conversation.");
}

/* A conversation `c` with its last message `l`; the caller's member.rev, user_rev, read_seq and own newest seq are
 * arguments. Their newest message counts as read with all before it (no cursor moves when one writes), and seq is dense, so
 * what is unread is counted by subtraction; own messages further back than what is counted make no difference. */
#define CONVERSATION_COLUMNS(role, member_rev, user_rev, read_seq, own_seq)                                            \
	"c.id, c.kind, c.title, c.rev, c.last_seq, c.last_rev, c.created_at, c.deleted_at, " member_rev ", " user_rev  \
	", " read_seq ", " own_seq ", c.member_count, c.slow_mode_s, " role ", " ROWS_MESSAGE_COLUMNS("l")
#define CALLERS_COLUMNS                                                                                                \
	CONVERSATION_COLUMNS(                                                                                          \
		"m.role, m.muted_until", "m.rev", "m.user_rev", "m.read_seq",                                          \
		"(SELECT max(x.seq) FROM messages x WHERE x.conversation_id = c.id AND x.seq > c.last_seq - 100"       \
		" AND x.seq > m.read_seq AND x.sender_id = m.user_id)")
_Static_assert(CONVERSATION_UNREAD_SHOWN + 1 == 100,
	       "CALLERS_COLUMNS looks back as far as unread messages are counted");

enum { COLUMN_OWN_SEQ = 11, COLUMN_MEMBER_COUNT, COLUMN_SLOW_MODE, COLUMN_ROLE, COLUMN_MUTED, COLUMN_MESSAGE };

static int64_t
unread_count(int64_t last_seq, int64_t read_seq, int64_t own_seq)
{
	int64_t unread = last_seq - (own_seq > read_seq ? own_seq : read_seq);

	return unread > CONVERSATION_UNREAD_SHOWN ? CONVERSATION_UNREAD_SHOWN + 1 : unread < 0 ? 0 : unread;
}

static void
read_conversation(struct db_stmt *stmt, struct arena *arena, struct conversation *ret_conversation)
{
	struct conversation c = {0};

	db_column_copy(stmt, 0, c.id, sizeof c.id);
	c.kind = strcmp(db_column_text(stmt, 1, arena), "group") == 0 ? "group" : "direct";
	c.title = db_column_text(stmt, 2, arena);
	c.rev = db_column_int64(stmt, 3);
	c.last_seq = db_column_int64(stmt, 4);
	c.last_rev = db_column_int64(stmt, 5);
	c.created_at_ms = db_column_int64(stmt, 6);
	c.deleted_at_ms = db_column_int64(stmt, 7);
	c.member_rev = db_column_int64(stmt, 8);
	c.member_user_rev = db_column_int64(stmt, 9);
	c.read_seq = db_column_int64(stmt, 10);
	if (c.member_rev > 0)
		c.unread_count = unread_count(c.last_seq, c.read_seq, db_column_int64(stmt, COLUMN_OWN_SEQ));
	c.member_count = (size_t)db_column_int64(stmt, COLUMN_MEMBER_COUNT);
	c.slow_mode_s = db_column_int64(stmt, COLUMN_SLOW_MODE);
	c.role = db_column_text(stmt, COLUMN_ROLE, arena);
	c.muted_until_ms = db_column_int64(stmt, COLUMN_MUTED);
	if (!db_column_is_null(stmt, COLUMN_MESSAGE)) {
		c.last_message = arena_alloc(arena, sizeof *c.last_message);
		rows_read_message(stmt, COLUMN_MESSAGE, arena, c.last_message);
	}
	*ret_conversation = c;
}

enum status
conversations_get(struct db *db, struct arena *arena, const char *conversation_id, const char *user_id,
		  struct conversation *ret_conversation, struct fault *ret_fault)
{
	CLEANUP_SNAPSHOT struct rows_snapshot snapshot = {0};
	bool row;

	TRY(rows_snapshot_begin(db, &snapshot));

	CLEANUP_STMT struct db_stmt *stmt = db_prepare(
		db, "SELECT " CALLERS_COLUMNS
		    " FROM members m JOIN conversations c ON c.id = m.conversation_id" ROWS_WITH_LAST_MESSAGE
		    " WHERE m.conversation_id = $1 AND m.user_id = $2 AND m.left_at IS NULL AND c.deleted_at IS NULL");

	db_bind_text(stmt, 1, conversation_id);
	db_bind_text(stmt, 2, user_id);
	TRY(db_one(stmt, &row));
	if (!row)
		return not_found(ret_fault);
	read_conversation(stmt, arena, ret_conversation);
	return conversations_read_shown(db, arena, user_id, ret_conversation, 1);
}

enum status
conversations_get_row(struct db *db, struct arena *arena, const char *conversation_id,
		      struct conversation *ret_conversation)
{
	CLEANUP_SNAPSHOT struct rows_snapshot snapshot = {0};
	bool row;

	TRY(rows_snapshot_begin(db, &snapshot));

	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT " CONVERSATION_COLUMNS("NULL, NULL", "0", "0", "0",
							      "0") " FROM conversations c" ROWS_WITH_LAST_MESSAGE
								   " WHERE c.id = $1");

	db_bind_text(stmt, 1, conversation_id);
	TRY(db_one(stmt, &row));
	if (!row)
		return ERR_NOT_FOUND;
	read_conversation(stmt, arena, ret_conversation);
	return conversations_read_shown(db, arena, NULL, ret_conversation, 1);
}

enum status
conversations_list(struct db *db, struct arena *arena, const struct conversations_wish *wish,
		   struct conversation **ret_items, size_t *ret_n, bool *ret_more)
{
	CLEANUP_SNAPSHOT struct rows_snapshot snapshot = {0};
	struct conversation *items = NULL;
	size_t n = 0;
	bool row;

	TRY(rows_snapshot_begin(db, &snapshot));

	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, "SELECT " CALLERS_COLUMNS ROWS_PAGE_OF_CONVERSATIONS
								   ROWS_WITH_LAST_MESSAGE ROWS_ORDER_OF_CONVERSATIONS);

	db_bind_text(stmt, 1, wish->user_id);
	db_bind_int64(stmt, 2, wish->before_ms);
	db_bind_text(stmt, 3, wish->before_id);
	db_bind_int64(stmt, 4, wish->limit + 1);
	for (;;) {
		TRY(db_step(stmt, &row));
		if (!row || n == (size_t)wish->limit)
			break;
		items = rows_grow(arena, items, n, sizeof *items);
		read_conversation(stmt, arena, &items[n++]);
	}
	TRY(conversations_read_shown(db, arena, wish->user_id, items, n));
	*ret_items = items;
	*ret_n = n;
	*ret_more = row;
	return OK;
}

int64_t
conversations_activity_ms(const struct conversation *conversation)
{
	return conversation->last_message ? conversation->last_message->timestamp_ms : conversation->created_at_ms;
}

enum status
conversations_sender(struct db *db, const char *conversation_id, const char *user_id,
		     struct conversation_sender *ret_sender, struct fault *ret_fault)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(
		db,
		"SELECT CASE WHEN c.kind = 'direct' THEN coalesce("
		"(SELECT o.user_id FROM members o WHERE o.conversation_id = c.id AND o.user_id <> $2 LIMIT 1), m.user_id) END,"
		" CASE WHEN m.role = 'member' THEN c.slow_mode_s ELSE 0 END, coalesce(m.last_sent_at, 0)"
		" FROM members m JOIN conversations c ON c.id = m.conversation_id"
		" WHERE m.conversation_id = $1 AND m.user_id = $2 AND m.left_at IS NULL AND c.deleted_at IS NULL");
	bool row;

	db_bind_text(stmt, 1, conversation_id);
	db_bind_text(stmt, 2, user_id);
	TRY(db_one(stmt, &row));
	if (!row)
		return not_found(ret_fault);
	db_column_copy(stmt, 0, ret_sender->other_id, ID_SIZE);
	ret_sender->slow_mode_ms = db_column_int64(stmt, 1) * 1000;
	ret_sender->last_sent_ms = db_column_int64(stmt, 2);
	return OK;
}

enum status
conversations_membership(struct db *db, const char *conversation_id, const char *user_id, char ret_other_id[ID_SIZE],
			 struct fault *ret_fault)
{
	struct conversation_sender sender;

	TRY(conversations_sender(db, conversation_id, user_id, &sender, ret_fault));
	memcpy(ret_other_id, sender.other_id, ID_SIZE);
	return OK;
}

enum status
conversations_set_last_sent(struct db *db, const char *conversation_id, const char *user_id, int64_t now_ms)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(
		db,
		"UPDATE members SET last_sent_at = $3 WHERE conversation_id = $1 AND user_id = $2 AND left_at IS NULL");

	db_bind_text(stmt, 1, conversation_id);
	db_bind_text(stmt, 2, user_id);
	db_bind_int64(stmt, 3, now_ms);
	return db_run(stmt);
}

static enum status
exists(struct db *db, const char *conversation_id, bool *ret_exists)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, "SELECT 1 FROM conversations WHERE id = $1");

	db_bind_text(stmt, 1, conversation_id);
	return db_one(stmt, ret_exists);
}

static enum status
check_person(struct db *db, const char *user_id)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, "SELECT 1 FROM users WHERE id = $1 AND deleted_at IS NULL");
	bool row;

	db_bind_text(stmt, 1, user_id);
	TRY(db_one(stmt, &row));
	return row ? OK : ERR_NOT_FOUND;
}

static enum status
insert_direct(struct db *db, const char *conversation_id, const char *created_by, int64_t member_count, int64_t now_ms)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "INSERT INTO conversations"
			       " (id, kind, rev, last_rev, change_no, created_by, created_at, member_count)"
			       " VALUES ($1, 'direct', 1, 1, $2, $3, $4, $5)");
	int64_t change_no;

	TRY(db_change_no(db, &change_no));
	db_bind_text(stmt, 1, conversation_id);
	db_bind_int64(stmt, 2, change_no);
	db_bind_text(stmt, 3, created_by);
	db_bind_int64(stmt, 4, now_ms);
	db_bind_int64(stmt, 5, member_count);
	return db_run(stmt);
}

/* A member since the conversation's first revision. */
static enum status
insert_first_member(struct db *db, const char *conversation_id, const char *user_id, int64_t now_ms)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "INSERT INTO members (conversation_id, user_id, role, rev, user_rev, joined_at)"
			       " VALUES ($1, $2, 'member', 1, $3, $4)");
	int64_t user_rev;

	TRY(users_advance(db, user_id, &user_rev));
	db_bind_text(stmt, 1, conversation_id);
	db_bind_text(stmt, 2, user_id);
	db_bind_int64(stmt, 3, user_rev);
	db_bind_int64(stmt, 4, now_ms);
	return db_run(stmt);
}

enum status
conversations_ensure_direct(struct db *db, const char *conversation_id, const char *user_id, const char *other_user_id,
			    int64_t now_ms, bool *ret_created)
{
	bool there, is_self = strcmp(user_id, other_user_id) == 0;

	*ret_created = false;
	TRY(exists(db, conversation_id, &there));
	if (there)
		return OK;
	TRY(check_person(db, user_id));
	TRY(check_person(db, other_user_id));
	TRY(insert_direct(db, conversation_id, user_id, is_self ? 1 : 2, now_ms));
	TRY(insert_first_member(db, conversation_id, user_id, now_ms));
	if (!is_self)
		TRY(insert_first_member(db, conversation_id, other_user_id, now_ms));
	*ret_created = true;
	return OK;
}

enum status
conversations_advance(struct db *db, const char *conversation_id, int64_t n_seq, int64_t n_rev, int64_t *ret_last_seq,
		      int64_t *ret_last_rev)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db,
			   "UPDATE conversations SET last_seq = last_seq + $2, last_rev = last_rev + $3, change_no = $4"
			   " WHERE id = $1 RETURNING last_seq, last_rev");
	int64_t change_no;
	bool row;

	TRY(db_change_no(db, &change_no));
	db_bind_text(stmt, 1, conversation_id);
	db_bind_int64(stmt, 2, n_seq);
	db_bind_int64(stmt, 3, n_rev);
	db_bind_int64(stmt, 4, change_no);
	TRY(db_one(stmt, &row));
	if (!row)
		return ERR_NOT_FOUND;
	*ret_last_seq = db_column_int64(stmt, 0);
	*ret_last_rev = db_column_int64(stmt, 1);
	return OK;
}

enum status
conversations_own_membership(struct db *db, const char *conversation_id, const char *user_id,
			     struct membership *ret_membership, struct fault *ret_fault)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(
		db, "SELECT m.conversation_id, m.user_rev, m.rev, m.read_seq, m.delivered_seq, c.last_rev, c.last_seq,"
		    " c.member_count, m.muted_until, m.role"
		    " FROM members m JOIN conversations c ON c.id = m.conversation_id"
		    " WHERE m.conversation_id = $1 AND m.user_id = $2 AND m.left_at IS NULL AND c.deleted_at IS NULL");
	struct membership membership = {0};
	bool row;

	db_bind_text(stmt, 1, conversation_id);
	db_bind_text(stmt, 2, user_id);
	TRY(db_one(stmt, &row));
	if (!row)
		return not_found(ret_fault);
	db_column_copy(stmt, 0, membership.conversation_id, sizeof membership.conversation_id);
	membership.user_rev = db_column_int64(stmt, 1);
	membership.member_rev = db_column_int64(stmt, 2);
	membership.read_seq = db_column_int64(stmt, 3);
	membership.delivered_seq = db_column_int64(stmt, 4);
	membership.head = db_column_int64(stmt, 5);
	membership.last_seq = db_column_int64(stmt, 6);
	membership.member_count = db_column_int64(stmt, 7);
	membership.muted_until_ms = db_column_int64(stmt, 8);
	db_column_copy(stmt, 9, membership.role, sizeof membership.role);
	*ret_membership = membership;
	return OK;
}

enum status
conversations_set_read(struct db *db, const char *user_id, const struct membership *membership)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "UPDATE members SET read_seq = $3, delivered_seq = $4, user_rev = $5"
			       " WHERE conversation_id = $1 AND user_id = $2");

	db_bind_text(stmt, 1, membership->conversation_id);
	db_bind_text(stmt, 2, user_id);
	db_bind_int64(stmt, 3, membership->read_seq);
	db_bind_int64(stmt, 4, membership->delivered_seq);
	db_bind_int64(stmt, 5, membership->user_rev);
	return db_run(stmt);
}

enum status
conversations_set_muted(struct db *db, const char *user_id, const struct membership *membership)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, "UPDATE members SET muted_until = $3, user_rev = $4"
							   " WHERE conversation_id = $1 AND user_id = $2");

	db_bind_text(stmt, 1, membership->conversation_id);
	db_bind_text(stmt, 2, user_id);
	db_bind_time(stmt, 3, membership->muted_until_ms);
	db_bind_int64(stmt, 4, membership->user_rev);
	return db_run(stmt);
}

enum status
conversations_set_delivered(struct db *db, const char *user_id, const struct membership *membership)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, "UPDATE members SET delivered_seq = $3"
							   " WHERE conversation_id = $1 AND user_id = $2");

	db_bind_text(stmt, 1, membership->conversation_id);
	db_bind_text(stmt, 2, user_id);
	db_bind_int64(stmt, 3, membership->delivered_seq);
	return db_run(stmt);
}
