/* What the parts of the PostgreSQL driver share: the connection, and how the server is talked to within a time limit.
 *
 * driver_postgres_open.c connects, driver_postgres_talk.c sends and waits, driver_postgres_stmt.c has the statements, and
 * driver_postgres.c what is left: transactions, locks, change numbers. */
#ifndef DB_DRIVER_POSTGRES_H
#define DB_DRIVER_POSTGRES_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/status.h"
#include "db/driver.h"

enum { DRIVER_POSTGRES_ERROR_SIZE = 256, DRIVER_POSTGRES_NUMBER_SIZE = 24, DRIVER_POSTGRES_ASKED_MAX = 64 };

struct driver_postgres_value {
	Oid type;
	const char *text; /* NULL, the caller's, or `number` */
	char number[DRIVER_POSTGRES_NUMBER_SIZE];
};

struct db_statement {
	struct db_connection *connection;
	const char *sql;
	char name[DRIVER_POSTGRES_NUMBER_SIZE];
	int n_parameters;
	struct driver_postgres_value *values; /* [n_parameters] */
	const char **texts;                   /* [n_parameters], for libpq */
	Oid *types;                           /* [n_parameters], as it was prepared */
	uint64_t prepared_for;                /* the number of the connection; 0: for none */
	uint64_t there_on; /* the same, also when what is there under this name is of no use any more */
	bool asked;        /* and not answered yet */
	enum status status;
	PGresult *result; /* all rows, when it was answered with OK */
	int row;
};

/* What was sent and not answered yet. */
struct driver_postgres_asked {
	struct db_statement *statement;
	enum driver_postgres_step { DRIVER_POSTGRES_DROP, DRIVER_POSTGRES_PREPARE, DRIVER_POSTGRES_EXECUTE } step;
	bool unread; /* nobody wants the answer */
};

/* The driver's own statements, which are prepared like all others. */
enum driver_postgres_own {
	DRIVER_POSTGRES_BEGIN_READ,
	DRIVER_POSTGRES_BEGIN_WRITE,
	DRIVER_POSTGRES_PLAN_ANEW,
	DRIVER_POSTGRES_CHANGE_NO,
	DRIVER_POSTGRES_LOCK_CONVERSATIONS,
	DRIVER_POSTGRES_LOCK_USERS,
	DRIVER_POSTGRES_COMMIT,
	DRIVER_POSTGRES_OWN__MAX,
};

struct db_connection {
	char *url;
	enum db_access access;
	bool opened;     /* somebody has this handle */
	PGconn *handle;  /* NULL: lost, or never there */
	uint64_t number; /* of connections made so far: what is prepared belongs to one of them */
	uint64_t n_prepared;
	uint64_t n_transactions; /* of this connection */
	struct db_statement *own[DRIVER_POSTGRES_OWN__MAX];
	struct buf lock_ids[2]; /* what is bound to the statements that lock, by enum db_lockable */

	bool in_transaction; /* since begin, until commit or rollback: also when the handle was lost meanwhile */
	enum db_transaction kind;
	bool begin_pending; /* BEGIN goes with the first statement */
	bool fresh;         /* nothing was answered in it yet, and the connection is one that may have died before */
	enum status owed;   /* not OK: the transaction has failed, and what was asked after that is not sent */
	struct driver_postgres_asked asked[DRIVER_POSTGRES_ASKED_MAX]; /* what the next wait is for, in order */
	size_t n_asked;
	bool sent;       /* libpq has taken all of it */
	bool refused;    /* the server has answered one of the newest pipeline, other than its COMMIT, with an error */
	bool end_unread; /* of a read transaction: its end was sent, the answer is read before anything else is */
	bool warned;     /* the server has sent a warning since this was cleared */
	enum db_trouble trouble;
	bool outdated; /* the newest error concerns what was prepared, which must be prepared again */
	bool missing;  /* ... because nothing of this name is there */
	bool patient;  /* a migration: its statements take as long as they take */

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

/* The parts of it: waits until PQgetResult does not have to; says what a result means, and gives the connection up if that says
 * so; when an answer must have come, by the monotonic clock. */
MUST_USE enum status driver_postgres_await(struct db_connection *connection, int64_t until_ms);
MUST_USE enum status driver_postgres_judge(struct db_connection *connection, const PGresult *result);
int64_t driver_postgres_until_ms(const struct db_connection *connection);

/* Sends a statement, with BEGIN if the transaction has none yet, and waits for nothing; driver_postgres_wait does, for all that was
 * asked since, which is one round trip. Then each has its status and result. The one that is returned is that of the first that
 * failed: it stays the transaction's. */
void driver_postgres_ask(struct db_statement *statement);
MUST_USE enum status driver_postgres_wait(struct db_connection *connection);

/* For what is no prepared statement: the transaction has begun, and nothing is under way. */
MUST_USE enum status driver_postgres_settle(struct db_connection *connection);

void driver_postgres_make_own(struct db_connection *connection);
void driver_postgres_destroy_own(struct db_connection *connection);

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
bool driver_postgres_send(struct db_statement *statement); /* false: libpq has not taken it */
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
