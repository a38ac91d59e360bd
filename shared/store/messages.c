/* Table messages: see messages.h. */
#include "store/messages.h"

#include <string.h>

#include "store/conversations.h"
#include "store/meta.h"
#include "store/reactions.h"
#include "store/rows.h"

struct message_range
messages_range(enum message_anchor anchor, int64_t seq, int64_t limit, int64_t last_seq)
{
	struct message_range range = {1, last_seq};

	switch (anchor) {
	case MESSAGES_NEWEST:
		range.first = last_seq - limit + 1;
		break;
	case MESSAGES_BEFORE:
		range.last = seq - 1 < last_seq ? seq - 1 : last_seq;
		range.first = range.last - limit + 1;
		break;
	case MESSAGES_AFTER:
		range.first = seq < last_seq ? seq + 1 : last_seq + 1;
		range.last = range.first + limit - 1;
		break;
	case MESSAGES_AROUND: /* moved back inside when it would stand out at either end */
		range.first = (seq < last_seq ? seq : last_seq) - limit / 2;
		if (range.first > last_seq - limit + 1)
			range.first = last_seq - limit + 1;
		if (range.first < 1)
			range.first = 1;
		range.last = range.first + limit - 1;
		break;
	}
	if (range.first < 1)
		range.first = 1;
	if (range.last > last_seq)
		range.last = last_seq;
	return range;
}

enum { COLUMN_EPOCH = ROWS_N_MESSAGE_COLUMNS, COLUMN_TIMELINE };

/* In which epoch the rows were read: the first of them says it. */
static enum status
read_epoch(struct db *db, struct db_stmt *stmt, char ret_epoch[EVENT_EPOCH_SIZE])
{
	char epoch[META_VALUE_SIZE], written_on[META_VALUE_SIZE];

	db_column_copy(stmt, COLUMN_EPOCH, epoch, sizeof epoch);
	db_column_copy(stmt, COLUMN_TIMELINE, written_on, sizeof written_on);
	return meta_epoch_of(db, epoch, written_on, ret_epoch);
}

static enum status
read_range(struct db *db, struct arena *arena, const struct message_page_question *question, struct message_page *page,
	   char ret_epoch[EVENT_EPOCH_SIZE])
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(
		db,
		"SELECT " ROWS_MESSAGE_COLUMNS(
			"x") ", CASE WHEN x.seq = $3 THEN (SELECT value FROM meta WHERE key = 'epoch') END,"
			     " CASE WHEN x.seq = $3 THEN (SELECT value FROM meta WHERE key = 'timeline') END"
			     " FROM members m JOIN messages x ON x.conversation_id = m.conversation_id"
			     " WHERE m.conversation_id = $1 AND m.user_id = $2 AND m.left_at IS NULL AND x.seq BETWEEN $3 AND $4"
			     " ORDER BY x.seq");
	bool row;

	ret_epoch[0] = '\0';
	db_bind_text(stmt, 1, question->head->conversation_id);
	db_bind_text(stmt, 2, question->user_id);
	db_bind_int64(stmt, 3, question->range.first);
	db_bind_int64(stmt, 4, question->range.last);
	for (;;) {
		TRY(db_step(stmt, &row));
		if (!row)
			return OK;
		if (page->n_items == 0)
			TRY(read_epoch(db, stmt, ret_epoch));
		page->items = rows_grow(arena, page->items, page->n_items, sizeof *page->items);
		rows_read_message(stmt, 0, arena, &page->items[page->n_items++]);
	}
}

static void
describe_page(struct message_range range, const struct head *head, struct message_page *page)
{
	page->last_seq = head->last_seq;
	page->last_rev = head->last_rev;
	page->has_more_before = range.first > 1;
	page->has_more_after = range.last < head->last_seq;
}

enum status
messages_page(struct db *db, struct arena *arena, const char *conversation_id, const char *user_id,
	      enum message_anchor anchor, int64_t seq, int64_t limit, struct message_page *ret_page,
	      struct fault *ret_fault)
{
	CLEANUP_SNAPSHOT struct rows_snapshot snapshot = {0};
	struct message_page_question question = {.user_id = user_id};
	struct message_page page = {0};
	char epoch[EVENT_EPOCH_SIZE];
	struct head head;

	TRY(rows_snapshot_begin(db, &snapshot));
	TRY(conversations_head(db, conversation_id, user_id, &head, ret_fault));
	question.head = &head;
	question.range = messages_range(anchor, seq, limit, head.last_seq);
	describe_page(question.range, &head, &page);
	if (question.range.first <= question.range.last)
		TRY(read_range(db, arena, &question, &page, epoch));
	TRY(reactions_attach(db, arena, page.items, page.n_items));
	*ret_page = page;
	return OK;
}

static bool
is_page_at(const struct message_page *page, struct message_range range, int64_t rev)
{
	if ((int64_t)page->n_items != range.last - range.first + 1)
		return false;
	for (size_t i = 0; i < page->n_items; i++)
		if (page->items[i].rev > rev)
			return false;
	return true;
}

/* A change of a reaction gives its message a later revision in the same transaction. The reactions are read first, so a change that they
 * show is one that the messages show too. Nor may another history have come between: one that a restore has put in place, which the
 * messages' epoch tells, or that of another server, which each statement for itself may have come to. */
enum status
messages_page_at(struct db *db, struct arena *arena, const struct message_page_question *question,
		 struct message_page *ret_page, bool *ret_moved)
{
	const char *conversation_id = question->head->conversation_id;
	struct message_range range = question->range;
	uint64_t connection = db_connection_number(db);
	struct message_page page = {0};
	struct given_reactions given;
	char epoch[EVENT_EPOCH_SIZE];

	*ret_moved = false;
	describe_page(range, question->head, &page);
	if (range.first <= range.last) {
		TRY(reactions_read(db, arena, conversation_id, range, &given));
		TRY(read_range(db, arena, question, &page, epoch));
		*ret_moved = !is_page_at(&page, range, question->head->last_rev) ||
			     strcmp(epoch, question->epoch) != 0 || db_connection_number(db) != connection;
		if (!*ret_moved)
			reactions_count_in(arena, &given, page.items);
	}
	*ret_page = page;
	return OK;
}

enum status
messages_get(struct db *db, struct arena *arena, const char *conversation_id, const char *message_id,
	     struct message *ret_message)
{
	CLEANUP_SNAPSHOT struct rows_snapshot snapshot = {0};
	bool row;

	TRY(rows_snapshot_begin(db, &snapshot));

	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT " ROWS_MESSAGE_COLUMNS("x") " FROM messages x"
								   " WHERE x.conversation_id = $1 AND x.id = $2");

	db_bind_text(stmt, 1, conversation_id);
	db_bind_text(stmt, 2, message_id);
	TRY(db_one(stmt, &row));
	if (!row)
		return ERR_NOT_FOUND;
	rows_read_message(stmt, 0, arena, ret_message);
	return reactions_attach(db, arena, ret_message, 1);
}

enum status
messages_update(struct db *db, const struct message *message)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "UPDATE messages SET content = $3, rev = $4, edited_at = $5, deleted_at = $6"
			       " WHERE conversation_id = $1 AND seq = $2");

	db_bind_text(stmt, 1, message->conversation_id);
	db_bind_int64(stmt, 2, message->seq);
	db_bind_text(stmt, 3, message->content);
	db_bind_int64(stmt, 4, message->rev);
	db_bind_time(stmt, 5, message->edited_at_ms);
	db_bind_time(stmt, 6, message->deleted_at_ms);
	return db_run(stmt);
}

enum { N_INSERTED = 10 };
#define INSERT_MESSAGES                                                                                                \
	"INSERT INTO messages (conversation_id, seq, rev, id, sender_id, recipient_id, content, content_digest,"       \
	" timestamp, reply_to_id) VALUES "

/* Ten columns a row, so the tens of a parameter's number count the rows: ROW(2, 3) is ($21, ... $29, $30). */
/* clang-format off */
#define ROW(d, e) \
	"($" #d "1, $" #d "2, $" #d "3, $" #d "4, $" #d "5, $" #d "6, $" #d "7, $" #d "8, $" #d "9, $" #e "0)"
#define FIRST_TWO_ROWS ROW(, 1) ", " ROW(1, 2)
#define FIRST_FIVE_ROWS FIRST_TWO_ROWS ", " ROW(2, 3) ", " ROW(3, 4) ", " ROW(4, 5)
#define FIRST_TEN_ROWS FIRST_FIVE_ROWS ", " ROW(5, 6) ", " ROW(6, 7) ", " ROW(7, 8) ", " ROW(8, 9) ", " ROW(9, 10)
#define TEN_ROWS(d, e) \
	ROW(d##0, d##1) ", " ROW(d##1, d##2) ", " ROW(d##2, d##3) ", " ROW(d##3, d##4) ", " ROW(d##4, d##5) ", " \
	ROW(d##5, d##6) ", " ROW(d##6, d##7) ", " ROW(d##7, d##8) ", " ROW(d##8, d##9) ", " ROW(d##9, e##0)
#define FIRST_TWENTY_ROWS FIRST_TEN_ROWS ", " TEN_ROWS(1, 2)
/* clang-format on */

/* By how many rows they insert, largest first; a batch of any size should need few. */
static const struct {
	size_t rows;
	const char *sql;
} inserts[] = {
	{50, INSERT_MESSAGES FIRST_TWENTY_ROWS ", " TEN_ROWS(2, 3) ", " TEN_ROWS(3, 4) ", " TEN_ROWS(4, 5)},
	{20, INSERT_MESSAGES FIRST_TWENTY_ROWS},
	{10, INSERT_MESSAGES FIRST_TEN_ROWS},
	{5, INSERT_MESSAGES FIRST_FIVE_ROWS},
	{2, INSERT_MESSAGES FIRST_TWO_ROWS},
	{1, INSERT_MESSAGES ROW(, 1)},
};

static void
bind_row(struct db_stmt *stmt, int parameter, const struct message *message)
{
	db_bind_text(stmt, parameter, message->conversation_id);
	db_bind_int64(stmt, parameter + 1, message->seq);
	db_bind_int64(stmt, parameter + 2, message->rev);
	db_bind_text(stmt, parameter + 3, message->id);
	db_bind_text(stmt, parameter + 4, message->sender_id);
	db_bind_text(stmt, parameter + 5, message->recipient_id[0] ? message->recipient_id : NULL);
	db_bind_text(stmt, parameter + 6, message->content);
	db_bind_text(stmt, parameter + 7, message->digest);
	db_bind_int64(stmt, parameter + 8, message->timestamp_ms);
	db_bind_text(stmt, parameter + 9, message->reply_to_id[0] ? message->reply_to_id : NULL);
}

static void
insert_rows(struct db *db, const char *sql, const struct message *const *messages, size_t n_messages)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, sql);

	for (size_t i = 0; i < n_messages; i++)
		bind_row(stmt, (int)i * N_INSERTED + 1, messages[i]);
	db_ask(stmt);
}

void
messages_insert(struct db *db, const struct message *const *messages, size_t n_messages)
{
	for (size_t i = 0; i < sizeof inserts / sizeof inserts[0]; i++)
		while (n_messages >= inserts[i].rows) {
			insert_rows(db, inserts[i].sql, messages, inserts[i].rows);
			messages += inserts[i].rows;
			n_messages -= inserts[i].rows;
		}
}
