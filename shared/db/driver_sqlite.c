/* SQLite: WAL, synchronous=FULL, one write transaction at a time on the machine (turnstile.h), no checkpoint on the way of a
 * write (driver_sqlite_keeper.c).
 *
 * SQLite numbers $n by first appearance, so parameters are bound by name. After some errors (a full disk is one) it has
 * rolled the whole transaction back by itself: sqlite3_get_autocommit() tells. */
#include "db/driver_sqlite.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db/driver.h"
#include "db/turnstile.h"

/* For whoever writes without the turnstile (the sqlite3 shell), and for WAL recovery. */
enum { BUSY_TIMEOUT_MS = 3000 };

struct db_connection {
	sqlite3 *handle;
	struct turnstile turnstile; /* of a handle that may write */
	enum db_access access;
	bool in_turn;                                  /* holds the turnstile: a write transaction is open */
	int64_t change_no;                             /* of the open write transaction; 0: not drawn yet */
	sqlite3_stmt *draw_change_no, *read_change_no; /* these are prepared when first needed */
	sqlite3_stmt *begin_read, *begin_write, *commit;
};

struct db_statement {
	sqlite3_stmt *stmt;
	int *index_of; /* of $1, $2 ... in SQLite's own numbering */
};

static enum status
status_of(int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return OK;
	case SQLITE_CONSTRAINT:
		return code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY ? ERR_CONFLICT
												: ERR_INTERNAL;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_FULL:
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
	case SQLITE_PROTOCOL:
	case SQLITE_NOMEM:
	case SQLITE_INTERRUPT:
		return ERR_UNAVAILABLE;
	default:
		return ERR_INTERNAL;
	}
}

static enum status
sqlite_open(const char *address, enum db_access access, struct db_connection **ret_connection, struct fault *ret_fault)
{
	struct turnstile turnstile = {-1, -1};
	sqlite3 *handle;

	if (access == DB_ACCESS_WRITE && turnstile_open(address, &turnstile) != OK)
		return fault_set(ret_fault, ERR_UNAVAILABLE, "database_unavailable", NULL,
				 "cannot open the database %s: %s", address, strerror(errno));
	if (driver_sqlite_open_handle(address, access, BUSY_TIMEOUT_MS, &handle, ret_fault) != OK) {
		turnstile_close(&turnstile);
		return ERR_UNAVAILABLE;
	}

	struct db_connection *connection = calloc(1, sizeof *connection);

	if (!connection)
		abort();
	connection->handle = handle;
	connection->turnstile = turnstile;
	connection->access = access;
	*ret_connection = connection;
	return OK;
}

static void
sqlite_close(struct db_connection *connection)
{
	int code;

	sqlite3_finalize(connection->draw_change_no);
	sqlite3_finalize(connection->read_change_no);
	sqlite3_finalize(connection->begin_read);
	sqlite3_finalize(connection->begin_write);
	sqlite3_finalize(connection->commit);
	code = sqlite3_close(connection->handle);

	assert(code == SQLITE_OK); /* it refuses while a statement lives */
	(void)code;
	turnstile_close(&connection->turnstile);
	free(connection);
}

static const char *
sqlite_error(const struct db_connection *connection)
{
	return sqlite3_errcode(connection->handle) == SQLITE_OK ? "" : sqlite3_errmsg(connection->handle);
}

static uint64_t
sqlite_connection_number(const struct db_connection *connection)
{
	(void)connection;
	return 1;
}

/* Returns SQLite's code. A statement without result, which stays prepared. */
static int
run_prepared(struct db_connection *connection, sqlite3_stmt **stmt, const char *sql)
{
	int code = SQLITE_OK;

	if (!*stmt)
		code = sqlite3_prepare_v3(connection->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL);
	if (code != SQLITE_OK)
		return code;
	sqlite3_step(*stmt);
	return sqlite3_reset(*stmt); /* the code of the step */
}

static enum status
sqlite_begin(struct db_connection *connection, enum db_transaction kind)
{
	int code;

	if (kind == DB_READ)
		return status_of(run_prepared(connection, &connection->begin_read, "BEGIN"));

	TRY(turnstile_enter(&connection->turnstile, DRIVER_SQLITE_TURN_WAIT_MS));
	code = run_prepared(connection, &connection->begin_write, "BEGIN IMMEDIATE");
	if (code != SQLITE_OK) {
		turnstile_leave(&connection->turnstile);
		return status_of(code);
	}
	connection->in_turn = true;
	connection->change_no = 0;
	return OK;
}

static void
end_turn(struct db_connection *connection)
{
	if (connection->in_turn)
		turnstile_leave(&connection->turnstile);
	connection->in_turn = false;
}

static void
sqlite_rollback(struct db_connection *connection)
{
	if (!sqlite3_get_autocommit(connection->handle))
		sqlite3_exec(connection->handle, "ROLLBACK", NULL, NULL, NULL);
	end_turn(connection);
}

static enum status
sqlite_commit(struct db_connection *connection, bool *ret_unknown)
{
	int code = run_prepared(connection, &connection->commit, "COMMIT");

	if (code == SQLITE_OK) {
		end_turn(connection);
		return OK;
	}
	/* An I/O error may come from the sync after the last frame was written: a crash now would bring the transaction back,
	 * the next writer would overwrite it. All other failures come before that frame. */
	*ret_unknown = (code & 0xff) == SQLITE_IOERR && connection->in_turn;
	return *ret_unknown ? ERR_INTERNAL : ERR_UNAVAILABLE;
}

static enum status
sqlite_lock(struct db_connection *connection, enum db_lockable table, const char *const *ids, size_t n_ids)
{
	(void)connection, (void)table, (void)ids, (void)n_ids;
	return OK;
}

static enum status
sqlite_lock_schema(struct db_connection *connection)
{
	(void)connection;
	return OK;
}

static enum status
sqlite_has_table(struct db_connection *connection, const char *name, bool *ret_has)
{
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v2(connection->handle,
				      "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", -1, &stmt, NULL);

	if (code == SQLITE_OK) {
		sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
		code = sqlite3_step(stmt);
	}
	*ret_has = code == SQLITE_ROW;
	sqlite3_finalize(stmt);
	return status_of(code);
}

static enum status
query_int64(struct db_connection *connection, sqlite3_stmt **stmt, const char *sql, int64_t *ret_value)
{
	int code = SQLITE_OK;

	if (!*stmt)
		code = sqlite3_prepare_v3(connection->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_step(*stmt);
	if (code == SQLITE_ROW)
		*ret_value = sqlite3_column_int64(*stmt, 0);
	sqlite3_reset(*stmt);
	return code == SQLITE_DONE ? ERR_INTERNAL : status_of(code);
}

/* One number for all rows of the transaction, drawn when the first of them asks. Committed in the order of the numbers,
 * because only one writer runs at a time. */
static enum status
sqlite_change_no(struct db_connection *connection, int64_t *ret_change_no)
{
	if (connection->change_no == 0)
		TRY(query_int64(
			connection, &connection->draw_change_no,
			"UPDATE meta SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE key = 'change_no'"
			" RETURNING CAST(value AS INTEGER)",
			&connection->change_no));
	*ret_change_no = connection->change_no;
	return OK;
}

static enum status
sqlite_change_position(struct db_connection *connection, int64_t *ret_position)
{
	return query_int64(connection, &connection->read_change_no,
			   "SELECT CAST(value AS INTEGER) + 1 FROM meta WHERE key = 'change_no'", ret_position);
}

static enum status
sqlite_timeline(struct db_connection *connection, int64_t *ret_timeline)
{
	(void)connection;
	*ret_timeline = 0;
	return OK;
}

static enum status
sqlite_prepare(struct db_connection *connection, const char *sql, struct db_statement **ret_statement,
	       int *ret_n_parameters, bool *ret_writes)
{
	struct db_statement *statement;
	sqlite3_stmt *stmt;
	int code = sqlite3_prepare_v3(connection->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);
	int n_parameters;

	if (code != SQLITE_OK)
		return status_of(code);
	n_parameters = sqlite3_bind_parameter_count(stmt);
	statement = calloc(1, sizeof *statement);
	int *index_of = calloc((size_t)n_parameters + 1, sizeof *index_of);
	if (!statement || !index_of)
		abort();
	for (int i = 1; i <= n_parameters; i++) {
		const char *name = sqlite3_bind_parameter_name(stmt, i);
		long number = name && name[0] == '$' ? strtol(name + 1, NULL, 10) : 0;

		if (number < 1 || number > n_parameters) {
			fprintf(stderr, "parameters must be $1, $2 ... without a hole: %s\n", sql);
			abort();
		}
		index_of[number] = i;
	}
	statement->stmt = stmt;
	statement->index_of = index_of;
	*ret_n_parameters = n_parameters;
	*ret_writes = !sqlite3_stmt_readonly(stmt);
	*ret_statement = statement;
	return OK;
}

static void
sqlite_destroy(struct db_statement *statement)
{
	sqlite3_finalize(statement->stmt);
	free(statement->index_of);
	free(statement);
}

static void
bound(int code)
{
	if (code != SQLITE_OK)
		abort(); /* out of memory; the number was checked above the driver */
}

static void
sqlite_bind_text(struct db_statement *statement, int parameter, const char *text)
{
	bound(sqlite3_bind_text(statement->stmt, statement->index_of[parameter], text, -1, SQLITE_STATIC));
}

static void
sqlite_bind_int64(struct db_statement *statement, int parameter, int64_t value)
{
	bound(sqlite3_bind_int64(statement->stmt, statement->index_of[parameter], value));
}

static void
sqlite_bind_bool(struct db_statement *statement, int parameter, bool value)
{
	bound(sqlite3_bind_int(statement->stmt, statement->index_of[parameter], value));
}

static void
sqlite_bind_null(struct db_statement *statement, int parameter)
{
	bound(sqlite3_bind_null(statement->stmt, statement->index_of[parameter]));
}

static enum status
sqlite_step(struct db_statement *statement, bool *ret_row)
{
	int code = sqlite3_step(statement->stmt);

	*ret_row = code == SQLITE_ROW;
	return status_of(code);
}

static void
sqlite_reset(struct db_statement *statement)
{
	sqlite3_reset(statement->stmt);
	sqlite3_clear_bindings(statement->stmt);
}

static int
sqlite_n_columns(struct db_statement *statement)
{
	return sqlite3_data_count(statement->stmt);
}

static enum db_column_type
sqlite_column_type(struct db_statement *statement, int column)
{
	switch (sqlite3_column_type(statement->stmt, column)) {
	case SQLITE_NULL:
		return DB_COLUMN_NULL;
	case SQLITE_INTEGER:
		return DB_COLUMN_INT64;
	case SQLITE_TEXT:
		return DB_COLUMN_TEXT;
	default:
		return DB_COLUMN_OTHER;
	}
}

static int64_t
sqlite_column_int64(struct db_statement *statement, int column)
{
	return sqlite3_column_int64(statement->stmt, column);
}

static bool
sqlite_column_bool(struct db_statement *statement, int column)
{
	return sqlite3_column_int(statement->stmt, column) != 0;
}

static const char *
sqlite_column_text(struct db_statement *statement, int column, size_t *ret_len)
{
	const char *text = (const char *)sqlite3_column_text(statement->stmt, column);

	if (!text)
		abort(); /* out of memory; NULL was ruled out above the driver */
	*ret_len = (size_t)sqlite3_column_bytes(statement->stmt, column);
	return text;
}

static enum status
sqlite_run_script(struct db_connection *connection, const char *sql)
{
	return status_of(sqlite3_exec(connection->handle, sql, NULL, NULL, NULL));
}

static void
sqlite_who_holds(struct db_connection *connection, struct buf *ret_lines)
{
	turnstile_who_is_in(&connection->turnstile, ret_lines);
}

const struct db_driver db_driver_sqlite = {
	.dialect = DB_DIALECT_SQLITE,
	.writers = 1,
	.open = sqlite_open,
	.close = sqlite_close,
	.error = sqlite_error,
	.connection_number = sqlite_connection_number,
	.begin = sqlite_begin,
	.commit = sqlite_commit,
	.rollback = sqlite_rollback,
	.lock = sqlite_lock,
	.lock_schema = sqlite_lock_schema,
	.has_table = sqlite_has_table,
	.change_no = sqlite_change_no,
	.change_position = sqlite_change_position,
	.timeline = sqlite_timeline,
	.prepare = sqlite_prepare,
	.destroy = sqlite_destroy,
	.bind_text = sqlite_bind_text,
	.bind_int64 = sqlite_bind_int64,
	.bind_bool = sqlite_bind_bool,
	.bind_null = sqlite_bind_null,
	.step = sqlite_step,
	.reset = sqlite_reset,
	.n_columns = sqlite_n_columns,
	.column_type = sqlite_column_type,
	.column_int64 = sqlite_column_int64,
	.column_bool = sqlite_column_bool,
	.column_text = sqlite_column_text,
	.who_holds = sqlite_who_holds,
	.run_script = sqlite_run_script,
	.keeper_start = driver_sqlite_keeper_start,
	.keeper_stop = driver_sqlite_keeper_stop,
};
