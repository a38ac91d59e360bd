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

#include "db/driver.h"

enum { SCHEMA_LOCK = 0x53746f6e }; /* of pg_advisory_xact_lock: "Ston" */

static void
postgres_close(struct db_connection *connection)
{
	driver_postgres_lose(connection);
	driver_postgres_destroy_own(connection);
	free(connection->url);
	free(connection);
}

static enum status
postgres_open(const char *address, enum db_access access, struct db_connection **ret_connection,
	      struct fault *ret_fault)
{
	struct db_connection *connection = calloc(1, sizeof *connection);
	enum status status;

	if (!connection || asprintf(&connection->url, "postgresql:%s", address) < 0)
		abort();
	connection->access = access;
	driver_postgres_make_own(connection);
	status = driver_postgres_connect(connection);
	if (status != OK && !(status == ERR_UNAVAILABLE && access == DB_ACCESS_READER)) {
		fault_fill(ret_fault, status, status == ERR_INVALID ? "database_unfit" : "database_unavailable", NULL,
			   "cannot use the database: %s", connection->error);
		postgres_close(connection);
		return status;
	}
	connection->opened = true;
	*ret_connection = connection;
	return OK;
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

/* The server hears of it with what is asked first. */
static enum status
postgres_begin(struct db_connection *connection, enum db_transaction kind)
{
	bool is_new = !connection->handle;
	enum status status = driver_postgres_connect(connection);

	connection->in_transaction = connection->begin_pending = status == OK;
	connection->fresh = !is_new;
	connection->owed = OK;
	connection->trouble = DB_TROUBLE_NONE;
	connection->kind = kind;
	return status == OK ? OK : ERR_UNAVAILABLE;
}

/* Nobody waits for the end of a read transaction: it changes nothing. */
static void
end_read(struct db_connection *connection)
{
	bool begun = connection->handle && connection->in_transaction && !connection->begin_pending &&
		     (driver_postgres_wait(connection) == OK || connection->handle);

	connection->in_transaction = connection->begin_pending = connection->patient = false;
	connection->owed = OK;
	if (!begun)
		return;
	connection->end_unread = PQsendQuery(connection->handle, "ROLLBACK") && PQflush(connection->handle) >= 0;
	if (!connection->end_unread)
		driver_postgres_lose(connection);
}

static void
end_write(struct db_connection *connection)
{
	connection->in_transaction = connection->begin_pending = connection->patient = false;
	connection->owed = OK;
}

/* Only an error from the server, of the COMMIT or of what was asked before it, says for certain that nothing was committed. A warning
 * with a COMMIT says that it is on this server, and that nobody has waited for the standby that was to have it too. */
static enum status
postgres_commit(struct db_connection *connection, bool *ret_unknown)
{
	struct db_statement *commit = connection->own[DRIVER_POSTGRES_COMMIT];
	bool committed;

	if (!connection->handle)
		return ERR_UNAVAILABLE;
	if (connection->kind == DB_READ) {
		end_read(connection);
		return OK;
	}
	if (connection->begin_pending) { /* nothing was asked */
		end_write(connection);
		return OK;
	}
	if (connection->n_asked == 0)
		connection->refused = false;
	connection->warned = false;
	driver_postgres_ask(commit);
	if (driver_postgres_wait(connection) != OK) {
		*ret_unknown = !connection->handle && !connection->refused;
		return *ret_unknown ? ERR_INTERNAL : connection->owed;
	}
	committed = strcmp(PQcmdStatus(commit->result), "COMMIT") == 0;
	end_write(connection);
	*ret_unknown = committed && connection->warned;
	if (*ret_unknown)
		return ERR_INTERNAL;
	return committed ? OK : ERR_UNAVAILABLE;
}

/* Keeps why it is rolled back, whatever the server still has to say. */
static void
roll_back(struct db_connection *connection)
{
	char error[sizeof connection->error];
	enum db_trouble trouble;

	if (driver_postgres_wait(connection) != OK && !connection->handle)
		return;
	memcpy(error, connection->error, sizeof error);
	trouble = connection->trouble;
	if (driver_postgres_query(connection, "ROLLBACK", NULL) != OK)
		driver_postgres_lose(connection);
	memcpy(connection->error, error, sizeof error);
	connection->trouble = trouble;
}

static void
postgres_rollback(struct db_connection *connection)
{
	if (connection->kind == DB_READ) {
		end_read(connection);
		return;
	}
	if (connection->handle && connection->in_transaction && !connection->begin_pending)
		roll_back(connection);
	end_write(connection);
}

/* Runs a statement of the driver's own with one text; the result may be NULL. */
static enum status
run_with_text(struct db_connection *connection, const char *sql, const char *text, PGresult **ret_result)
{
	TRY(driver_postgres_settle(connection));
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

static enum status
postgres_lock(struct db_connection *connection, enum db_lockable table, const char *const *ids, size_t n_ids)
{
	static const enum driver_postgres_own which[] = {
		[DB_LOCK_CONVERSATIONS] = DRIVER_POSTGRES_LOCK_CONVERSATIONS,
		[DB_LOCK_USERS] = DRIVER_POSTGRES_LOCK_USERS,
	};
	struct db_statement *statement = connection->own[which[table]];
	struct buf *array = &connection->lock_ids[table];

	if (!connection->handle)
		return ERR_UNAVAILABLE;
	if (statement->asked)
		TRY(driver_postgres_wait(connection));
	buf_clear(array);
	write_array(array, ids, n_ids);
	driver_postgres_bind_text(statement, 1, array->bytes);
	driver_postgres_ask(statement);
	return OK;
}

static enum status
postgres_take_time(struct db_connection *connection)
{
	TRY(driver_postgres_settle(connection));
	connection->patient = true;
	return driver_postgres_query(
		connection,
		"SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0;"
		" SET LOCAL plan_cache_mode = auto",
		NULL);
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
	TRY(run_with_text(connection, "SELECT to_regclass($1::text) IS NOT NULL", name, &result));
	*ret_has = *PQgetvalue(result, 0, 0) == 't';
	PQclear(result);
	return OK;
}

static enum status
postgres_change_no(struct db_connection *connection, int64_t *ret_change_no)
{
	const struct db_statement *own = connection->own[DRIVER_POSTGRES_CHANGE_NO];

	if (connection->begin_pending || own->asked)
		TRY(driver_postgres_settle(connection));
	TRY(own->status);
	*ret_change_no = strtoll(PQgetvalue(own->result, 0, 0), NULL, 10);
	return OK;
}

static enum status
postgres_change_position(struct db_connection *connection, int64_t *ret_position)
{
	PGresult *result;

	TRY(driver_postgres_settle(connection));
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
	TRY(driver_postgres_settle(connection));
	return driver_postgres_query(connection, sql, NULL);
}

const struct db_driver db_driver_postgres = {
	.dialect = DB_DIALECT_POSTGRES,
	.writers = 2, /* the second works while the first one waits for the disk; more make batches smaller */
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
	.settle = driver_postgres_settle,
	.lock_schema = postgres_lock_schema,
	.has_table = postgres_has_table,
	.change_no = postgres_change_no,
	.change_position = postgres_change_position,
	.timeline = postgres_timeline,
	.trouble = postgres_trouble,
	.prepare = driver_postgres_prepare,
	.ask = driver_postgres_ask,
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
