/* Members and reactions of the conversations of a list: see conversations_shown.h. */
#include "store/conversations_shown.h"

#include <string.h>

#include "store/reactions.h"
#include "store/rows.h"

enum { AT_ONCE = 50, PARAMETER_USER = AT_ONCE + 1 };
#define IDS                                                                                                            \
	"($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,"   \
	" $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44,"    \
	" $45, $46, $47, $48, $49, $50)"

/* Where the members that are shown end, which makes them a range of the primary key: of a group of 10,000 no more are read than of
 * one of 20. */
#define PAGE                                                                                                           \
	"WITH page AS (SELECT c.id AS id, (SELECT x.user_id FROM members x WHERE x.conversation_id = c.id"             \
	" AND x.left_at IS NULL ORDER BY x.user_id LIMIT 1 OFFSET 19) AS last_shown"                                   \
	" FROM conversations c WHERE c.id IN " IDS ") "
_Static_assert(CONVERSATION_MEMBERS_SHOWN == 20, "PAGE finds the last member that is shown");

#define AFTER_ALL_IDS "'~'"

static void
bind_ids(struct db_stmt *stmt, const struct conversation *conversations, size_t n)
{
	for (int i = 0; i < AT_ONCE; i++) {
		if ((size_t)i < n)
			db_bind_text(stmt, i + 1, conversations[i].id);
		else
			db_bind_null(stmt, i + 1);
	}
}

/* Rows come conversation by conversation: the one with that id, which mostly is the same as before. */
static struct conversation *
find(struct conversation *conversations, size_t n, const char *id, struct conversation *last)
{
	if (last && strcmp(last->id, id) == 0)
		return last;
	for (size_t i = 0; i < n; i++)
		if (strcmp(conversations[i].id, id) == 0)
			return &conversations[i];
	return NULL;
}

static void
show(struct arena *arena, struct conversation *conversation, const struct member *member)
{
	if (!conversation->members)
		conversation->members = arena_alloc(arena, CONVERSATION_MEMBERS_SHOWN * sizeof *member);
	if (conversation->n_members < CONVERSATION_MEMBERS_SHOWN)
		conversation->members[conversation->n_members++] = *member;
	else
		conversation_show_member(conversation, member); /* the caller, who comes last */
}

static enum status
read_members(struct db *db, struct arena *arena, const char *user_id, struct conversation *conversations, size_t n)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db,
			   PAGE "SELECT " ROWS_MEMBER_COLUMNS
				" FROM page JOIN members m ON m.conversation_id = page.id AND m.left_at IS NULL"
				" AND m.user_id <= coalesce(page.last_shown, " AFTER_ALL_IDS ")"
				" JOIN users u ON u.id = m.user_id"
				" UNION ALL SELECT " ROWS_MEMBER_COLUMNS
				" FROM page JOIN members m ON m.conversation_id = page.id AND m.left_at IS NULL"
				" AND m.user_id = $51 AND m.user_id > page.last_shown JOIN users u ON u.id = m.user_id"
				" ORDER BY 1, 2");
	struct conversation *conversation = NULL;
	struct member member;
	bool row;

	bind_ids(stmt, conversations, n);
	db_bind_text(stmt, PARAMETER_USER, user_id);
	for (;;) {
		TRY(db_step(stmt, &row));
		if (!row)
			return OK;
		rows_read_member(stmt, arena, &member);
		conversation = find(conversations, n, member.conversation_id, conversation);
		if (conversation)
			show(arena, conversation, &member);
	}
}

/* Counts the reactions into the last message of their conversation. */
static void
count_in(struct arena *arena, struct conversation *conversation, const struct given_reactions *given)
{
	if (conversation && conversation->last_message)
		reactions_count_in(arena, given, conversation->last_message);
}

static enum status
read_reactions(struct db *db, struct arena *arena, struct conversation *conversations, size_t n)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT c.id, r.seq, r.emoji, r.user_id FROM conversations c"
			       " JOIN reactions r ON r.conversation_id = c.id AND r.seq = c.last_seq WHERE c.id IN " IDS
			       " ORDER BY c.id, r.created_at, r.emoji, r.user_id");
	struct conversation *conversation = NULL;
	char id[ID_SIZE];
	bool row;

	bind_ids(stmt, conversations, n);
	for (;;) {
		struct given_reaction one;
		const struct given_reactions given = {&one, 1};

		TRY(db_step(stmt, &row));
		if (!row)
			return OK;
		db_column_copy(stmt, 0, id, sizeof id);
		one.seq = db_column_int64(stmt, 1);
		one.emoji = db_column_text(stmt, 2, arena);
		db_column_copy(stmt, 3, one.user_id, sizeof one.user_id);
		conversation = find(conversations, n, id, conversation);
		count_in(arena, conversation, &given);
	}
}

enum status
conversations_read_shown(struct db *db, struct arena *arena, const char *user_id, struct conversation *conversations,
			 size_t n)
{
	while (n > 0) {
		size_t n_now = n < AT_ONCE ? n : AT_ONCE;

		TRY(read_members(db, arena, user_id, conversations, n_now));
		TRY(read_reactions(db, arena, conversations, n_now));
		conversations += n_now;
		n -= n_now;
	}
	return OK;
}
