/* A database connection as the stores see it: typed statements, transactions, change numbers. Which database it is stays
 * below this line (driver.h).
 *
 * One connection belongs to one thread. SQL is portable text with $1, $2 ...; misuse (an unbound parameter, a column read
 * as another type, a statement left open at commit) is a bug of ours and aborts. */
#ifndef DB_DB_H
#define DB_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/status.h"

struct db;
struct db_stmt;

enum db_access {
	DB_ACCESS_READ,   /* never writes: begin(DB_WRITE) is a bug */
	DB_ACCESS_READER, /* the same for as long as the process lives: a server may be away when it is opened, too */
	DB_ACCESS_WRITE,  /* the writer and the operator's commands; makes the database file when it is missing */
};

/* Opens `url` (sqlite:<path>, postgres://...). ERR_UNAVAILABLE with a sentence when it cannot be opened or reached, ERR_INVALID
 * when it is no url or a database that cannot be used. A connection that is lost later is made again by the driver. */
MUST_USE enum status db_open(const char *url, enum db_access access, struct db **ret_db, struct fault *ret_fault);
void db_close(struct db *db);

/* After an error of a reader, which has ended its transaction: the next use begins with a connection that is known to be good.
 * A driver that makes lost ones again judges by itself and keeps the handle, and with it the pauses between its attempts; of any
 * other the handle is closed and *db becomes NULL. What db_error told is forgotten. */
void db_doubt(struct db **db);

/* Text of the newest error of this connection, for a log line; "" when there was none. */
const char *db_error(const struct db *db);

/* Counts the connections made for this handle (1 after db_open; more when the driver had to reconnect): a change means
 * "all heads must be compared again". */
uint64_t db_connection_number(const struct db *db);

enum db_transaction {
	DB_READ,  /* one snapshot for all statements */
	DB_WRITE, /* waits its turn among all writers of the machine */
};

MUST_USE enum status db_begin(struct db *db, enum db_transaction kind);

/* The statements of the open transaction may take as long as they take: an operator waits for them, no client does. */
MUST_USE enum status db_take_time(struct db *db);

/* ERR_UNAVAILABLE: nothing was committed; ERR_INTERNAL with *ret_unknown true: nobody can say (the same ids settle it). The
 * transaction is over either way. Ending a read transaction is a commit. `ret_unknown` may be NULL. */
MUST_USE enum status db_commit(struct db *db, bool *ret_unknown);

/* Also when the database has rolled back by itself; nothing to do outside a transaction. */
void db_rollback(struct db *db);
bool db_in_transaction(const struct db *db);

/* What the newest error of the newest transaction (rolled back or not) had to do with other transactions. Nothing was stored,
 * and nobody is at fault. */
enum db_trouble {
	DB_TROUBLE_NONE,
	DB_TROUBLE_CLASH,               /* a deadlock: running the same again at once may succeed */
	DB_TROUBLE_LOCKED,              /* somebody kept a row locked for longer than is waited */
	DB_TROUBLE_CONVERSATION_LOCKED, /* the same, and it was db_lock that has waited */
	DB_TROUBLE_USER_LOCKED,
};
enum db_trouble db_trouble(const struct db *db);

/* How many connections write at once with profit. */
size_t db_writers(const struct db *db);

/* Locks rows against other writers until the end of the transaction, in sorted order; the caller sorts. Nothing to do where
 * writers take turns anyway. Asked like a statement (db_ask): that the wait was too long may be what the next one says, with
 * ERR_UNAVAILABLE. */
enum db_lockable { DB_LOCK_CONVERSATIONS, DB_LOCK_USERS };
MUST_USE enum status db_lock(struct db *db, enum db_lockable table, const char *const *ids, size_t n_ids);

/* Waits for what was asked. */
MUST_USE enum status db_settle(struct db *db);

/* The number that rows changed in this write transaction carry in change_no. */
MUST_USE enum status db_change_no(struct db *db, int64_t *ret_change_no);

/* From inside a read transaction: every change committed after this snapshot has change_no >= *ret_position. */
MUST_USE enum status db_change_position(struct db *db, int64_t *ret_position);

/* The timeline of the server (PostgreSQL), 0 where there is none (SQLite). */
MUST_USE enum status db_timeline(struct db *db, int64_t *ret_timeline);

/* The statement for `sql` (a literal: it is cached by its address for the life of the connection), reset and unbound. An
 * error in preparing is reported by the first db_step. Give it back with db_finish; nesting the same literal is a bug. */
struct db_stmt *db_prepare(struct db *db, const char *sql);

/* Parameters count from 1 as in the text. Text and blobs must live until db_finish. A NULL text binds NULL. */
void db_bind_text(struct db_stmt *stmt, int parameter, const char *text);
void db_bind_int64(struct db_stmt *stmt, int parameter, int64_t value);
void db_bind_bool(struct db_stmt *stmt, int parameter, bool value);
void db_bind_null(struct db_stmt *stmt, int parameter);
/* NULL for a time of 0: optional times are 0 in structs and NULL in rows. */
void db_bind_time(struct db_stmt *stmt, int parameter, int64_t wall_ms);

/* Runs the statement without waiting for the answer: db_step does, for its first row. What is asked before anybody waits is one
 * round trip, where the database is a server. Statements run in the order in which they are asked; when one fails, the others
 * asked after it do too, and when its own answer is not read (db_finish), the next step or db_commit fails with its status. Only in
 * a transaction. */
void db_ask(struct db_stmt *stmt);

/* One row further. ERR_CONFLICT: a uniqueness constraint; ERR_UNAVAILABLE: busy, full disk, connection lost, I/O error. Any
 * error ends the transaction it happens in, on every database: what follows in it fails with ERR_UNAVAILABLE, db_commit too,
 * so look up before inserting what may be there. */
MUST_USE enum status db_step(struct db_stmt *stmt, bool *ret_row);

/* Runs a statement that returns no rows. */
MUST_USE enum status db_run(struct db_stmt *stmt);

/* Runs a statement that returns at most one row; *ret_row tells whether it did. Columns are readable until db_finish. */
MUST_USE enum status db_one(struct db_stmt *stmt, bool *ret_row);

/* Columns count from 0. Text is copied into the arena. NULL: false, 0 or NULL text. */
bool db_column_is_null(struct db_stmt *stmt, int column);
int64_t db_column_int64(struct db_stmt *stmt, int column);
bool db_column_bool(struct db_stmt *stmt, int column);
char *db_column_text(struct db_stmt *stmt, int column, struct arena *arena);
/* Copies an id (or other short text) into a fixed array; longer text than fits is a bug. NULL becomes "". */
void db_column_copy(struct db_stmt *stmt, int column, char *ret_text, size_t size);

void db_finish(struct db_stmt *stmt); /* NULL is fine */

static inline void
cleanup_stmt(struct db_stmt **stmt)
{
	db_finish(*stmt);
}
#define CLEANUP_STMT CLEANUP(cleanup_stmt)

/* Runs a script of several statements without parameters, inside the caller's transaction: migrations only. */
MUST_USE enum status db_run_script(struct db *db, const char *sql);

/* Loads many new rows at once, for a copy of a whole database: `sql` is a COPY ... FROM STDIN, `rows` are in its text format. Only
 * where db_can_load; elsewhere inserting one by one is as fast. */
bool db_can_load(const struct db *db);
MUST_USE enum status db_load(struct db *db, const char *sql, const char *rows, size_t len);

/* From inside a write transaction: waits for all others, and lets none begin that asks table meta first, as each must
 * (meta_check_serving). May stay open for long. ERR_UNAVAILABLE after a short while: roll back and try again. */
MUST_USE enum status db_lock_out(struct db *db);

/* After db_begin or db_lock_out has waited in vain, outside a transaction: who holds the database, as far as that can be known: a
 * line each, for an operator to read. */
void db_who_holds(struct db *db, struct buf *ret_lines);

/* A thread per process that keeps the database in shape while it is in use (SQLite: checkpoints, by whichever process
 * holds the checkpoint lock). NULL where nothing is to be done. */
struct db_keeper;
MUST_USE enum status db_keeper_start(const char *url, struct db_keeper **ret_keeper, struct fault *ret_fault);
void db_keeper_stop(struct db_keeper *keeper);

#endif
