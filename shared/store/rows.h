/* What stores share in reading: one snapshot over several statements, arrays that grow with the rows, and the rows that
 * more than one of them reads. */
#ifndef STORE_ROWS_H
#define STORE_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "db/db.h"
#include "model/conversation.h"
#include "model/message.h"
#include "model/user.h"

/* The caller's transaction when there is one, else a read transaction of its own until rows_snapshot_end. Declared before the
 * statements that run in it: CLEANUP() ends in reverse order, and a statement must be finished first. */
struct rows_snapshot {
	struct db *own; /* NULL: the caller's transaction */
};
MUST_USE enum status rows_snapshot_begin(struct db *db, struct rows_snapshot *ret_snapshot);
void rows_snapshot_end(struct rows_snapshot *snapshot);
#define CLEANUP_SNAPSHOT CLEANUP(rows_snapshot_end)

/* `items` with room for one more than n, zeroed: starts with 8, then twice the room, in the arena. */
void *rows_grow(struct arena *arena, void *items, size_t n, size_t item_size);

/* The columns of a message in a table named `t` (a literal), and a row of them from `column` on. */
#define ROWS_MESSAGE_COLUMNS(t)                                                                                        \
	t ".id, " t ".conversation_id, " t ".seq, " t ".rev, " t ".sender_id, " t ".recipient_id, " t ".content, " t   \
	  ".content_digest, " t ".timestamp, " t ".reply_to_id, " t ".edited_at, " t ".deleted_at"
enum { ROWS_N_MESSAGE_COLUMNS = 12 };
void rows_read_message(struct db_stmt *stmt, int column, struct arena *arena, struct message *ret_message);

/* A page of a person's conversations `c`, with their memberships `m` and last messages `l`: $1 the person, ($2, $3) the order key
 * of the last one seen, $4 how many. Chosen first, so that what is counted is counted for its rows only. */
#define ROWS_WITH_LAST_MESSAGE " LEFT JOIN messages l ON l.conversation_id = c.id AND l.seq = c.last_seq"
#define ROWS_PAGE_OF_CONVERSATIONS                                                                                     \
	" FROM (SELECT c.id AS id, coalesce(l.timestamp, c.created_at) AS activity"                                    \
	" FROM members m JOIN conversations c ON c.id = m.conversation_id" ROWS_WITH_LAST_MESSAGE                      \
	" WHERE m.user_id = $1 AND m.left_at IS NULL AND c.deleted_at IS NULL"                                         \
	" AND (coalesce(l.timestamp, c.created_at), c.id) < ($2, $3)"                                                  \
	" ORDER BY activity DESC, id DESC LIMIT $4) AS page"                                                           \
	" JOIN conversations c ON c.id = page.id"                                                                      \
	" JOIN members m ON m.conversation_id = c.id AND m.user_id = $1"
#define ROWS_ORDER_OF_CONVERSATIONS " ORDER BY page.activity DESC, page.id DESC"

/* That a session `s` of a user `u` is alive: $1 its id, $2 its owner's, $3 the time. */
#define ROWS_SESSION_IS_ALIVE                                                                                          \
	"s.id = $1 AND s.user_id = $2 AND s.expires_at > $3 AND s.revoked_at IS NULL"                                  \
	" AND u.disabled_at IS NULL AND u.deleted_at IS NULL"

/* The columns of a person, and a row of them. */
#define ROWS_USER_COLUMNS                                                                                              \
	"id, username, username_key, display_name, role, last_rev, created_at, disabled_at, deleted_at,"               \
	" must_change_password"
enum { ROWS_N_USER_COLUMNS = 10 };
void rows_read_user(struct db_stmt *stmt, struct arena *arena, struct user *ret_user);

/* The same for a member `m` with its user `u`. */
#define ROWS_MEMBER_COLUMNS                                                                                            \
	"m.conversation_id, m.user_id, u.username, u.display_name, m.role, m.rev, m.user_rev, m.joined_at, m.left_at," \
	" CASE WHEN (SELECT x.member_count FROM conversations x WHERE x.id = m.conversation_id) <= 250"                \
	" THEN m.read_seq END, m.delivered_seq"
void rows_read_member(struct db_stmt *stmt, struct arena *arena, struct member *ret_member);

#endif
