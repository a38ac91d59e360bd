/* What the parts of the PostgreSQL driver share: the connection, and how the server is talked to within a time limit.
 *
 * driver_postgres_open.c connects, driver_postgres_talk.c sends and waits, driver_postgres_stmt.c has the statements, and
 * driver_postgres.c what is left: transactions, locks, change numbers. */
#ifndef DB_DRIVER_POSTGRES_H
#define DB_DRIVER_POSTGRES_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "db/driver.h"

enum { DRIVER_POSTGRES_ERROR_SIZE = 256 };

struct db_connection {
	char *url;
	enum db_access access;
	bool opened;     /* somebody has this handle */
	PGconn *handle;  /* NULL: lost, or never there */
	uint64_t number; /* of connections made so far: what is prepared belongs to one of them */
	uint64_t n_prepared;
	uint64_t locks_prepared[2]; /* for which of them, by enum db_lockable */

	bool in_transaction; /* since begin, until commit or rollback: also when the handle was lost meanwhile */
	enum db_transaction kind;
	bool begin_pending; /* of a read transaction: BEGIN goes with its first statement */
	bool end_unread;    /* of a read transaction: its end was sent, the answer is read before anything else is */
	int64_t change_no;  /* of the open write transaction */
	bool warned;        /* the server has sent a warning since this was cleared */
	enum db_trouble trouble;
	bool outdated;  /* the newest error concerns what was prepared, which must be prepared again */
	bool missing;   /* ... because nothing of this name is there */
	int n_answered; /* statements of the newest pipeline, before the first that failed */
	bool patient;   /* a migration: its statements take as long as they take */

	int64_t answer_within_ms; /* the server's statement_timeout and a little more */
	int64_t timeline;
	unsigned n_failures; /* to connect, in a row */
	int64_t retry_at_ms; /* not before, by the monotonic clock */
	char error[DRIVER_POSTGRES_ERROR_SIZE];
};

/* Connects unless there is a connection. ERR_UNAVAILABLE when that fails, and without trying soon after it has failed (longer
 * and longer); ERR_INVALID, before it is opened, when the database is one that we cannot work with. error says why. */
MUST_USE enum status driver_postgres_connect(struct db_connection *connection);

/* Gives the connection up. */
void driver_postgres_lose(struct db_connection *connection);

/* Waits for the answer to what PQsend... has sent (`sent`: what that returned). The result is the last one, to be cleared by
 * the caller; NULL unless OK. A server that does not answer in time counts as lost. */
MUST_USE enum status driver_postgres_receive(struct db_connection *connection, int sent, PGresult **ret_result);

/* The same for a pipeline of several, up to its sync: the result is that of the last one. Nothing is ever left in it. */
MUST_USE enum status driver_postgres_receive_pipeline(struct db_connection *connection, int sent,
						      PGresult **ret_result);

#define DRIVER_POSTGRES_BEGIN_READ "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

/* One or several statements without parameters; the result may be NULL when nobody needs it. */
MUST_USE enum status driver_postgres_query(struct db_connection *connection, const char *sql, PGresult **ret_result);

/* Sends rows for a COPY ... FROM STDIN. */
MUST_USE enum status driver_postgres_load(struct db_connection *connection, const char *sql, const char *rows,
					  size_t len);

/* Keeps what went wrong for a log line. Never the server's DETAIL, which shows whole rows. */
void driver_postgres_note(struct db_connection *connection, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* driver_postgres_who.c */
void driver_postgres_who_holds(struct db_connection *connection, struct buf *ret_lines);

/* driver_postgres_stmt.c: the driver's functions on statements. */
enum status driver_postgres_prepare(struct db_connection *connection, const char *sql,
				    struct db_statement **ret_statement, int *ret_n_parameters, bool *ret_writes);
void driver_postgres_destroy(struct db_statement *statement);
void driver_postgres_bind_text(struct db_statement *statement, int parameter, const char *text);
void driver_postgres_bind_int64(struct db_statement *statement, int parameter, int64_t value);
void driver_postgres_bind_bool(struct db_statement *statement, int parameter, bool value);
void driver_postgres_bind_null(struct db_statement *statement, int parameter);
enum status driver_postgres_step(struct db_statement *statement, bool *ret_row);
void driver_postgres_reset(struct db_statement *statement);
int driver_postgres_n_columns(struct db_statement *statement);
enum db_column_type driver_postgres_column_type(struct db_statement *statement, int column);
int64_t driver_postgres_column_int64(struct db_statement *statement, int column);
bool driver_postgres_column_bool(struct db_statement *statement, int column);
const char *driver_postgres_column_text(struct db_statement *statement, int column, size_t *ret_len);

#endif
