/* PostgreSQL by libpq: one session per connection, made again when it was lost (driver_postgres_open.c), nothing waited for
 * without a limit (driver_postgres_talk.c).
 *
 * A write transaction is READ COMMITTED: it locks first, and each statement after the lock sees the rows as they are then. A
 * read transaction is one snapshot. Revisions of rows are ordered by their locks, so the transaction's id can be their
 * change_no: ids are drawn in another order than transactions commit, which is why a position is the lowest id still open. */
#include "db/driver_postgres.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "db/driver.h"

enum { SCHEMA_LOCK = 0x53746f6e }; /* of pg_advisory_xact_lock: "Ston" */

static enum status
postgres_open(const char *address, enum db_access access, struct db_connection **ret_connection,
	      struct fault *ret_fault)
{
	struct db_connection *connection = calloc(1, sizeof *connection);
	enum status status;

	if (!connection || asprintf(&connection->url, "postgresql:%s", address) < 0)
		abort();
	connection->access = access;
	status = driver_postgres_connect(connection);
	if (status != OK && !(status == ERR_UNAVAILABLE && access == DB_ACCESS_READER)) {
		fault_fill(ret_fault, status, status == ERR_INVALID ? "database_unfit" : "database_unavailable", NULL,
			   "cannot use the database: %s", connection->error);
		free(connection->url);
		free(connection);
		return status;
	}
	connection->opened = true;
	*ret_connection = connection;
	return OK;
}

static void
postgres_close(struct db_connection *connection)
{
	driver_postgres_lose(connection);
	free(connection->url);
	free(connection);
}

static const char *
postgres_error(const struct db_connection *connection)
{
	return connection->error;
}

static uint64_t
postgres_connection_number(const struct db_connection *connection)
{
	return connection->number;
}

static enum db_trouble
postgres_trouble(const struct db_connection *connection)
{
	return connection->trouble;
}

static enum status
begin(struct db_connection *connection, enum db_transaction kind)
{
	PGresult *result;

	connection->begin_pending = kind == DB_READ;
	if (kind == DB_READ)
		return OK;
	TRY(driver_postgres_query(connection,
				  "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT pg_current_xact_id()",
				  &result));
	connection->change_no = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
	return OK;
}

/* A connection that turns out to be dead is made anew at once: nothing has been asked of it yet. */
static enum status
postgres_begin(struct db_connection *connection, enum db_transaction kind)
{
	bool is_new = !connection->handle;
	enum status status = driver_postgres_connect(connection);

	if (status == OK)
		status = begin(connection, kind);
	if (status == ERR_UNAVAILABLE && !connection->handle && !is_new && driver_postgres_connect(connection) == OK)
		status = begin(connection, kind);
	connection->in_transaction = status == OK;
	connection->trouble = DB_TROUBLE_NONE;
	connection->kind = kind;
	return status == OK ? OK : ERR_UNAVAILABLE;
}

/* For what is no prepared statement: BEGIN by itself. */
static enum status
begin_now(struct db_connection *connection)
{
	if (!connection->handle)
		return ERR_UNAVAILABLE;
	if (!connection->in_transaction || !connection->begin_pending)
		return OK;
	connection->begin_pending = false;
	return driver_postgres_query(connection, DRIVER_POSTGRES_BEGIN_READ, NULL);
}

/* Nobody waits for the end of a read transaction: it changes nothing. */
static void
end_read(struct db_connection *connection)
{
	bool begun = connection->handle && connection->in_transaction && !connection->begin_pending;

	connection->in_transaction = connection->begin_pending = connection->patient = false;
	if (!begun)
		return;
	connection->end_unread = PQsendQuery(connection->handle, "ROLLBACK") && PQflush(connection->handle) >= 0;
	if (!connection->end_unread)
		driver_postgres_lose(connection);
}

/* Only an error that leaves the session alone says for certain that nothing was committed. A warning with a COMMIT says that
 * it is on this server, and that nobody has waited for the standby that was to have it too. */
static enum status
postgres_commit(struct db_connection *connection, bool *ret_unknown)
{
	PGresult *result;
	enum status status;
	bool committed;

	if (!connection->handle)
		return ERR_UNAVAILABLE;
	if (connection->kind == DB_READ) {
		end_read(connection);
		return OK;
	}
	connection->warned = false;
	status = driver_postgres_query(connection, "COMMIT", &result);
	if (status != OK) {
		*ret_unknown = !connection->handle;
		return *ret_unknown ? ERR_INTERNAL : ERR_UNAVAILABLE;
	}
	committed = strcmp(PQcmdStatus(result), "COMMIT") == 0;
	PQclear(result);
	connection->in_transaction = false;
	connection->patient = false;
	*ret_unknown = committed && connection->warned;
	if (*ret_unknown)
		return ERR_INTERNAL;
	return committed ? OK : ERR_UNAVAILABLE;
}

static void
postgres_rollback(struct db_connection *connection)
{
	char error[sizeof connection->error];

	if (connection->kind == DB_READ) {
		end_read(connection);
		return;
	}
	if (connection->handle && connection->in_transaction) {
		memcpy(error, connection->error, sizeof error); /* why it is rolled back */
		if (driver_postgres_query(connection, "ROLLBACK", NULL) != OK)
			driver_postgres_lose(connection);
		memcpy(connection->error, error, sizeof error);
	}
	connection->in_transaction = false;
	connection->patient = false;
}

/* Runs a statement of the driver's own with one text; the result may be NULL. */
static enum status
run_with_text(struct db_connection *connection, const char *sql, const char *text, PGresult **ret_result)
{
	if (!connection->handle)
		return ERR_UNAVAILABLE;
	return driver_postgres_receive(connection,
				       PQsendQueryParams(connection->handle, sql, 1, NULL, &text, NULL, NULL, 0),
				       ret_result);
}

/* {"a","b"}: an array as PostgreSQL reads it. */
static void
write_array(struct buf *buf, const char *const *ids, size_t n_ids)
{
	bool fits = buf_append(buf, "{", 1);

	for (size_t i = 0; i < n_ids && fits; i++) {
		fits = buf_append_text(buf, i ? ",\"" : "\"");
		for (const char *c = ids[i]; *c && fits; c++)
			fits = (*c != '"' && *c != '\\') || buf_append(buf, "\\", 1) ? buf_append(buf, c, 1) : false;
		fits = fits && buf_append(buf, "\"", 1);
	}
	if (!fits || !buf_append(buf, "}", 1))
		abort(); /* it has no bound */
}

/* In the order of the ids, so that two writers never wait for each other. Weaker than FOR UPDATE: a message that refers to the
 * row needs not wait, and would do so in no order. */
static enum status
postgres_lock(struct db_connection *connection, enum db_lockable table, const char *const *ids, size_t n_ids)
{
	static const struct {
		const char *name, *sql;
	} statements[] = {
		[DB_LOCK_CONVERSATIONS] = {"lock_conversations",
					   "SELECT 1 FROM conversations WHERE id = ANY ($1::text[])"
					   " ORDER BY id FOR NO KEY UPDATE"},
		[DB_LOCK_USERS] = {"lock_users",
				   "SELECT 1 FROM users WHERE id = ANY ($1::text[]) ORDER BY id FOR NO KEY UPDATE"},
	};
	struct buf array = {0};
	enum status status;

	if (!connection->handle)
		return ERR_UNAVAILABLE;
	if (connection->locks_prepared[table] != connection->number)
		TRY(driver_postgres_receive(connection,
					    PQsendPrepare(connection->handle, statements[table].name,
							  statements[table].sql, 1, NULL),
					    NULL));
	connection->locks_prepared[table] = connection->number;
	write_array(&array, ids, n_ids);
	status = driver_postgres_receive(connection,
					 PQsendQueryPrepared(connection->handle, statements[table].name, 1,
							     (const char *const[]){array.bytes}, NULL, NULL, 0),
					 NULL);
	buf_finish(&array);
	return status;
}

static enum status
postgres_take_time(struct db_connection *connection)
{
	TRY(begin_now(connection));
	connection->patient = true;
	return driver_postgres_query(
		connection, "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0", NULL);
}

/* A migration waits for the locks of those who are at work, but not for ever: they wait behind it. */
static enum status
postgres_lock_schema(struct db_connection *connection)
{
	char sql[96];

	TRY(postgres_take_time(connection));
	snprintf(sql, sizeof sql, "SET LOCAL lock_timeout = '10s'; SELECT pg_advisory_xact_lock(%d)", SCHEMA_LOCK);
	return driver_postgres_query(connection, sql, NULL);
}

static enum status
postgres_has_table(struct db_connection *connection, const char *name, bool *ret_has)
{
	PGresult *result;

	if (!connection->in_transaction)
		TRY(driver_postgres_connect(connection));
	TRY(begin_now(connection));
	TRY(run_with_text(connection, "SELECT to_regclass($1::text) IS NOT NULL", name, &result));
	*ret_has = *PQgetvalue(result, 0, 0) == 't';
	PQclear(result);
	return OK;
}

static enum status
postgres_change_no(struct db_connection *connection, int64_t *ret_change_no)
{
	*ret_change_no = connection->change_no;
	return OK;
}

static enum status
postgres_change_position(struct db_connection *connection, int64_t *ret_position)
{
	PGresult *result;

	TRY(begin_now(connection));
	TRY(driver_postgres_query(connection, "SELECT pg_snapshot_xmin(pg_current_snapshot())", &result));
	*ret_position = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
	return OK;
}

/* A session with a server that takes writes stays on one timeline: a promotion concerns others. */
static enum status
postgres_timeline(struct db_connection *connection, int64_t *ret_timeline)
{
	*ret_timeline = connection->timeline;
	return OK;
}

/* Whoever asks for the table meanwhile waits behind this, and for at most 500 ms: the caller tries again instead of waiting long. */
static enum status
postgres_lock_out(struct db_connection *connection)
{
	TRY(postgres_take_time(connection));
	return driver_postgres_query(connection,
				     "SET LOCAL lock_timeout = '300ms'; LOCK TABLE meta IN ACCESS EXCLUSIVE MODE",
				     NULL);
}

static enum status
postgres_run_script(struct db_connection *connection, const char *sql)
{
	return connection->handle ? driver_postgres_query(connection, sql, NULL) : ERR_UNAVAILABLE;
}

const struct db_driver db_driver_postgres = {
	.dialect = DB_DIALECT_POSTGRES,
	.writers = 4,
	.reconnects = true,
	.open = postgres_open,
	.close = postgres_close,
	.error = postgres_error,
	.connection_number = postgres_connection_number,
	.begin = postgres_begin,
	.commit = postgres_commit,
	.rollback = postgres_rollback,
	.take_time = postgres_take_time,
	.lock = postgres_lock,
	.lock_schema = postgres_lock_schema,
	.has_table = postgres_has_table,
	.change_no = postgres_change_no,
	.change_position = postgres_change_position,
	.timeline = postgres_timeline,
	.trouble = postgres_trouble,
	.prepare = driver_postgres_prepare,
	.destroy = driver_postgres_destroy,
	.bind_text = driver_postgres_bind_text,
	.bind_int64 = driver_postgres_bind_int64,
	.bind_bool = driver_postgres_bind_bool,
	.bind_null = driver_postgres_bind_null,
	.step = driver_postgres_step,
	.reset = driver_postgres_reset,
	.n_columns = driver_postgres_n_columns,
	.column_type = driver_postgres_column_type,
	.column_int64 = driver_postgres_column_int64,
	.column_bool = driver_postgres_column_bool,
	.column_text = driver_postgres_column_text,
	.load = driver_postgres_load,
	.lock_out = postgres_lock_out,
	.who_holds = driver_postgres_who_holds,
	.run_script = postgres_run_script,
};
