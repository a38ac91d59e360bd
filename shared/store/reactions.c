/* Table reactions: see reactions.h. */
#include "store/reactions.h"

#include <string.h>

#include "store/rows.h"

/* Counts one reaction in; the rows come in the order in which they were given. */
static void
count_in(struct arena *arena, struct message *message, const char *emoji, const char *user_id)
{
	struct reaction *reaction = NULL;

	for (size_t i = 0; i < message->n_reactions && !reaction; i++)
		if (strcmp(message->reactions[i].emoji, emoji) == 0)
			reaction = &message->reactions[i];
	if (!reaction) {
		message->reactions =
			rows_grow(arena, message->reactions, message->n_reactions, sizeof *message->reactions);
		reaction = &message->reactions[message->n_reactions++];
		*reaction = (struct reaction){.emoji = emoji};
	}
	reaction->count++;
	if (reaction->n_user_ids == REACTION_USER_IDS_SHOWN)
		return;
	reaction->user_ids = rows_grow(arena, reaction->user_ids, reaction->n_user_ids, sizeof *reaction->user_ids);
	memcpy(reaction->user_ids[reaction->n_user_ids++], user_id, ID_SIZE);
}

enum status
reactions_read(struct db *db, struct arena *arena, const char *conversation_id, struct message_range range,
	       struct given_reactions *ret_given)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(
		db, "SELECT seq, emoji, user_id FROM reactions"
		    " WHERE conversation_id = $1 AND seq BETWEEN $2 AND $3 ORDER BY seq, created_at, emoji, user_id");
	struct given_reactions given = {0};
	bool row;

	db_bind_text(stmt, 1, conversation_id);
	db_bind_int64(stmt, 2, range.first);
	db_bind_int64(stmt, 3, range.last);
	for (;;) {
		TRY(db_step(stmt, &row));
		if (!row)
			break;
		given.items = rows_grow(arena, given.items, given.n, sizeof *given.items);
		given.items[given.n].seq = db_column_int64(stmt, 0);
		given.items[given.n].emoji = db_column_text(stmt, 1, arena);
		db_column_copy(stmt, 2, given.items[given.n++].user_id, ID_SIZE);
	}
	*ret_given = given;
	return OK;
}

void
reactions_count_in(struct arena *arena, const struct given_reactions *given, struct message *messages)
{
	for (size_t i = 0; i < given->n; i++)
		count_in(arena, &messages[given->items[i].seq - messages[0].seq], given->items[i].emoji,
			 given->items[i].user_id);
}

enum status
reactions_attach(struct db *db, struct arena *arena, struct message *messages, size_t n_messages)
{
	struct given_reactions given;
	size_t start = 0;

	for (size_t i = 0; i < n_messages; i++) {
		messages[i].reactions = NULL;
		messages[i].n_reactions = 0;
	}
	while (start < n_messages) {
		size_t end = start + 1;

		while (end < n_messages && messages[end].seq == messages[end - 1].seq + 1)
			end++;
		TRY(reactions_read(db, arena, messages[start].conversation_id,
				   (struct message_range){messages[start].seq, messages[end - 1].seq}, &given));
		reactions_count_in(arena, &given, messages + start);
		start = end;
	}
	return OK;
}

static void
bind_key(struct db_stmt *stmt, const struct message *message, const char *emoji, const char *user_id)
{
	db_bind_text(stmt, 1, message->conversation_id);
	db_bind_int64(stmt, 2, message->seq);
	db_bind_text(stmt, 3, emoji);
	db_bind_text(stmt, 4, user_id);
}

enum status
reactions_insert(struct db *db, const struct message *message, const char *emoji, const char *user_id, int64_t now_ms)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "INSERT INTO reactions (conversation_id, seq, emoji, user_id, created_at)"
			       " VALUES ($1, $2, $3, $4, $5)");

	bind_key(stmt, message, emoji, user_id);
	db_bind_int64(stmt, 5, now_ms);
	return db_run(stmt);
}

enum status
reactions_delete(struct db *db, const struct message *message, const char *emoji, const char *user_id)
{
	if (emoji) {
		CLEANUP_STMT struct db_stmt *one =
			db_prepare(db, "DELETE FROM reactions"
				       " WHERE conversation_id = $1 AND seq = $2 AND emoji = $3 AND user_id = $4");

		bind_key(one, message, emoji, user_id);
		return db_run(one);
	}

	CLEANUP_STMT struct db_stmt *all =
		db_prepare(db, "DELETE FROM reactions WHERE conversation_id = $1 AND seq = $2");
	db_bind_text(all, 1, message->conversation_id);
	db_bind_int64(all, 2, message->seq);
	return db_run(all);
}

enum status
reactions_has(struct db *db, const struct message *message, const char *emoji, const char *user_id, bool *ret_has)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT 1 FROM reactions"
			       " WHERE conversation_id = $1 AND seq = $2 AND emoji = $3 AND user_id = $4");

	bind_key(stmt, message, emoji, user_id);
	return db_one(stmt, ret_has);
}
