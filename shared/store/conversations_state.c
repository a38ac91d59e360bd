/* States of conversations, without their rows: see conversations_state.h. */
#include "store/conversations_state.h"

#include <string.h>

#include "store/rows.h"

/* Of whom cursors are shown: the caller, and the first of the others. */
#define STATE_COLUMNS                                                                                                  \
	"c.id, c.last_rev, m.user_rev, CASE WHEN c.member_count <= 250 THEN m.read_seq + m.delivered_seq +"            \
	" coalesce(CAST((SELECT sum(o.cursors) FROM (SELECT x.read_seq + x.delivered_seq AS cursors FROM members x"    \
	" WHERE x.conversation_id = c.id AND x.user_id <> m.user_id AND x.left_at IS NULL"                             \
	" ORDER BY x.user_id LIMIT 19) AS o) AS BIGINT), 0) ELSE 0 END"
_Static_assert(CONVERSATION_MEMBERS_SHOWN == 20 && CONVERSATION_CLOSE_MAX == 250,
	       "STATE_COLUMNS knows whose cursors are shown, and up to how many members");

static void
read_state(struct db_stmt *stmt, struct conversation_state *ret_state)
{
	db_column_copy(stmt, 0, ret_state->id, sizeof ret_state->id);
	ret_state->last_rev = db_column_int64(stmt, 1);
	ret_state->user_rev = db_column_int64(stmt, 2);
	ret_state->cursors = db_column_int64(stmt, 3);
}

enum status
conversations_states(struct db *db, struct arena *arena, const struct conversations_wish *wish,
		     struct conversation_state **ret_states, size_t *ret_n, bool *ret_more)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT " STATE_COLUMNS ROWS_PAGE_OF_CONVERSATIONS ROWS_ORDER_OF_CONVERSATIONS);
	struct conversation_state *states = NULL;
	size_t n = 0;
	bool row;

	db_bind_text(stmt, 1, wish->user_id);
	db_bind_int64(stmt, 2, wish->before_ms);
	db_bind_text(stmt, 3, wish->before_id);
	db_bind_int64(stmt, 4, wish->limit + 1);
	for (;;) {
		TRY(db_step(stmt, &row));
		if (!row || n == (size_t)wish->limit)
			break;
		states = rows_grow(arena, states, n, sizeof *states);
		read_state(stmt, &states[n++]);
	}
	*ret_states = states;
	*ret_n = n;
	*ret_more = row;
	return OK;
}

enum status
conversations_state(struct db *db, const char *conversation_id, const char *user_id,
		    struct conversation_state *ret_state, struct fault *ret_fault)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(
		db, "SELECT " STATE_COLUMNS " FROM members m JOIN conversations c ON c.id = m.conversation_id"
		    " WHERE m.conversation_id = $1 AND m.user_id = $2 AND m.left_at IS NULL AND c.deleted_at IS NULL");
	bool row;

	db_bind_text(stmt, 1, conversation_id);
	db_bind_text(stmt, 2, user_id);
	TRY(db_one(stmt, &row));
	if (!row)
		return fault_set(ret_fault, ERR_NOT_FOUND, "conversation_not_found", NULL,
				 "There is no such conversation.");
	read_state(stmt, ret_state);
	return OK;
}

struct conversation_state
conversations_state_of(const struct conversation *conversation)
{
	struct conversation_state state = {.last_rev = conversation->last_rev,
					   .user_rev = conversation->member_user_rev};

	memcpy(state.id, conversation->id, sizeof state.id);
	for (size_t i = 0; i < conversation->n_members; i++)
		if (conversation->members[i].shows_cursors)
			state.cursors += conversation->members[i].read_seq + conversation->members[i].delivered_seq;
	return state;
}
