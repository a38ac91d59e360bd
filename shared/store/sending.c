/* Statements over many rows: see sending.h. A statement has room for a fixed number, so that it is prepared once; what is left of
 * its room is filled with what changes nothing. */
#include "store/sending.h"

#include <string.h>

/* Whose log-in, where and which, by their place in the array. The order of the joins is written down for SQLite, which knows
 * nothing of the sizes. The other one of a direct conversation is looked for by a key that is NULL in a group, whose members would all be
 * read else; alone with oneself there is none. */
#define CHECK(rows, now)                                                                                               \
	"WITH v (i, session_id, user_id, conversation_id, message_id) AS (VALUES " rows ")"                            \
	" SELECT v.i, CASE WHEN c.kind = 'direct' THEN coalesce(o.user_id, v.user_id) END, c.last_seq, c.last_rev"     \
	" FROM v CROSS JOIN sessions s CROSS JOIN users u CROSS JOIN members m CROSS JOIN conversations c"             \
	" LEFT JOIN members o ON o.conversation_id = CASE WHEN c.kind = 'direct' THEN c.id END"                        \
	" AND o.user_id <> v.user_id"                                                                                  \
	" LEFT JOIN users p ON p.id = o.user_id"                                                                       \
	" LEFT JOIN blocks b ON b.user_id = o.user_id AND b.blocked_user_id = v.user_id AND b.removed_at IS NULL"      \
	" WHERE s.id = v.session_id AND s.user_id = v.user_id AND s.revoked_at IS NULL AND s.expires_at > " now        \
	" AND u.id = v.user_id AND u.disabled_at IS NULL AND u.deleted_at IS NULL AND NOT u.must_change_password"      \
	" AND m.conversation_id = v.conversation_id AND m.user_id = v.user_id AND m.left_at IS NULL"                   \
	" AND c.id = v.conversation_id AND c.deleted_at IS NULL AND (m.role <> 'member' OR c.slow_mode_s = 0)"         \
	" AND p.disabled_at IS NULL AND p.deleted_at IS NULL AND b.user_id IS NULL"                                    \
	" AND NOT EXISTS (SELECT 1 FROM messages x WHERE x.conversation_id = v.conversation_id AND x.id = v.message_id)"

/* Five columns a row, so that ten numbers are two rows: TWO(2, 3) is ($21 ... $25), ($26 ... $30). */
/* clang-format off */
#define TWO(d, e) \
	"($" #d "1, $" #d "2, $" #d "3, $" #d "4, $" #d "5), ($" #d "6, $" #d "7, $" #d "8, $" #d "9, $" #e "0)"
#define FOUR TWO(, 1) ", " TWO(1, 2)
#define TEN FOUR ", " TWO(2, 3) ", " TWO(3, 4) ", " TWO(4, 5)
#define TWENTY TEN ", " TWO(5, 6) ", " TWO(6, 7) ", " TWO(7, 8) ", " TWO(8, 9) ", " TWO(9, 10)
#define FIFTY \
	TWENTY ", " \
	TWO(10, 11) ", " TWO(11, 12) ", " TWO(12, 13) ", " TWO(13, 14) ", " TWO(14, 15) ", " \
	TWO(15, 16) ", " TWO(16, 17) ", " TWO(17, 18) ", " TWO(18, 19) ", " TWO(19, 20) ", " \
	TWO(20, 21) ", " TWO(21, 22) ", " TWO(22, 23) ", " TWO(23, 24) ", " TWO(24, 25)
/* clang-format on */

enum { CHECK_COLUMNS = 5, N_ROOMS = 5 };

/* By the room that they have, largest first. */
static const struct statement {
	size_t room;
	const char *sql;
} check_statements[N_ROOMS] = {
	{50, CHECK(FIFTY, "$251")},
	{20, CHECK(TWENTY, "$101")},
	{10, CHECK(TEN, "$51")},
	{4, CHECK(FOUR, "$21")},
	{1, CHECK("($1, $2, $3, $4, $5)", "$6")},
};

/* The smallest that holds them all, else the largest. */
static const struct statement *
choose(const struct statement statements[N_ROOMS], size_t n)
{
	const struct statement *statement = &statements[N_ROOMS - 1];

	while (statement > statements && statement->room < n)
		statement--;
	return statement;
}

/* What is left of the room: no log-in has this id, so nothing else is looked for. */
static const struct sending_check nobody = {.session_id = "", .user_id = "", .conversation_id = "", .message_id = ""};

static struct db_stmt *
ask(struct db *db, const struct statement *statement, const struct sending_check *checks, size_t n, int64_t now_ms)
{
	struct db_stmt *stmt = db_prepare(db, statement->sql);

	for (size_t i = 0; i < statement->room; i++) {
		const struct sending_check *check = i < n ? &checks[i] : &nobody;
		int parameter = (int)i * CHECK_COLUMNS;

		db_bind_int64(stmt, parameter + 1, (int64_t)i);
		db_bind_text(stmt, parameter + 2, check->session_id);
		db_bind_text(stmt, parameter + 3, check->user_id);
		db_bind_text(stmt, parameter + 4, check->conversation_id);
		db_bind_text(stmt, parameter + 5, check->message_id);
	}
	db_bind_int64(stmt, (int)statement->room * CHECK_COLUMNS + 1, now_ms);
	db_ask(stmt);
	return stmt;
}

static enum status
read_answer(struct db_stmt *stmt, struct sending_check *checks)
{
	bool row;

	for (;;) {
		TRY(db_step(stmt, &row));
		if (!row)
			return OK;
		struct sending_check *check = &checks[db_column_int64(stmt, 0)];

		check->passes = true;
		db_column_copy(stmt, 1, check->other_id, sizeof check->other_id);
		check->last_seq = db_column_int64(stmt, 2);
		check->last_rev = db_column_int64(stmt, 3);
	}
}

void
sending_ask(struct db *db, struct sending_checks *checks, int64_t now_ms)
{
	const struct statement *statement = choose(check_statements, checks->n);

	checks->n_asked = checks->n < statement->room ? checks->n : statement->room;
	checks->now_ms = now_ms;
	checks->stmt = ask(db, statement, checks->all, checks->n_asked, now_ms);
}

enum status
sending_check(struct db *db, struct sending_checks *checks)
{
	enum status status = read_answer(checks->stmt, checks->all);

	sending_forget(checks);
	for (size_t done = checks->n_asked; done < checks->n && status == OK; done += checks->n_asked) {
		struct sending_checks rest = {.all = checks->all + done, .n = checks->n - done};

		sending_ask(db, &rest, checks->now_ms);
		status = read_answer(rest.stmt, rest.all);
		sending_forget(&rest);
		checks->n_asked = rest.n_asked;
	}
	return status;
}

void
sending_forget(struct sending_checks *checks)
{
	db_finish(checks->stmt);
	checks->stmt = NULL;
}

/* Each id finds its row by the index, whatever a database thinks of the sizes, as nothing else binds the two. */
#define ADVANCE(rows)                                                                                                  \
	"WITH v (id, n) AS (VALUES " rows ") UPDATE conversations SET change_no = $1,"                                 \
	" last_seq = last_seq + v.n, last_rev = last_rev + v.n FROM v WHERE conversations.id = v.id"

/* Rows of two from $2 on. */
/* clang-format off */
#define FIVE(d, e) \
	"($" #d "2, $" #d "3), ($" #d "4, $" #d "5), ($" #d "6, $" #d "7), ($" #d "8, $" #d "9), ($" #e "0, $" #e "1)"
#define PAIR(what) what(, 1) ", " what(1, 2)
#define QUAD(what) PAIR(what) ", " what(2, 3) ", " what(3, 4)
#define ALL(what) \
	QUAD(what) ", " what(4, 5) ", " \
	what(5, 6) ", " what(6, 7) ", " what(7, 8) ", " what(8, 9) ", " what(9, 10)
/* clang-format on */

static const struct statement advance_statements[N_ROOMS] = {
	{50, ADVANCE(ALL(FIVE))}, {20, ADVANCE(QUAD(FIVE))}, {10, ADVANCE(PAIR(FIVE))},
	{5, ADVANCE(FIVE(, 1))},  {1, ADVANCE("($2, $3)")},
};

static enum status
advance_some(struct db *db, const struct statement *statement, const struct sending_advance *advances, size_t n)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, statement->sql);
	int64_t change_no;

	TRY(db_change_no(db, &change_no));
	db_bind_int64(stmt, 1, change_no);
	for (size_t i = 0; i < statement->room; i++) {
		db_bind_text(stmt, (int)i * 2 + 2, i < n ? advances[i].conversation_id : "");
		db_bind_int64(stmt, (int)i * 2 + 3, i < n ? advances[i].n : 0);
	}
	db_ask(stmt);
	return OK;
}

enum status
sending_advance(struct db *db, const struct sending_advance *advances, size_t n_advances)
{
	for (size_t done = 0; done < n_advances;) {
		const struct statement *statement = choose(advance_statements, n_advances - done);
		size_t n = n_advances - done < statement->room ? n_advances - done : statement->room;

		TRY(advance_some(db, statement, advances + done, n));
		done += n;
	}
	return OK;
}
