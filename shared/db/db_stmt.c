/* Statements: cached by the address of their text, bound completely, read by the type of their columns. Whatever breaks these
 * rules ends the process. */
#include "db/db_stmt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define uthash_fatal(message) abort()
#include <uthash.h>

enum stmt_state {
	STMT_IDLE,  /* in the cache */
	STMT_READY, /* given out: to be bound */
	STMT_ASKED, /* it runs, or has run to its first row */
	STMT_ROW,   /* stepped: columns can be read */
	STMT_DONE,  /* stepped to its end, failed, or its transaction is over */
};

struct db_stmt {
	const char *sql; /* the key: its address */
	struct db *db;
	struct db_statement *statement; /* NULL: not prepared, prepare_status says why */
	enum status prepare_status;
	enum stmt_state state;
	int n_parameters;
	bool writes;
	enum status early_status; /* of a statement that was asked where nothing runs by itself */
	bool early_row;
	bool *is_bound; /* [n_parameters + 1] */
	UT_hash_handle hh;
};

static void
destroy_statement(struct db_stmt *stmt)
{
	HASH_DEL(stmt->db->statements, stmt);
	if (stmt->statement)
		stmt->db->driver->destroy(stmt->statement);
	free(stmt->is_bound);
	free(stmt);
}

static struct db_stmt *
new_statement(struct db *db, const char *sql)
{
	struct db_stmt *stmt = calloc(1, sizeof *stmt);

	if (!stmt)
		abort();
	stmt->sql = sql;
	stmt->db = db;
	HASH_ADD_PTR(db->statements, sql, stmt);
	return stmt;
}

struct db_stmt *
db_prepare(struct db *db, const char *sql)
{
	struct db_stmt *stmt;

	HASH_FIND_PTR(db->statements, &sql, stmt);
	if (!stmt)
		stmt = new_statement(db, sql);
	if (stmt->state != STMT_IDLE)
		db_misuse("a statement inside itself", sql);
	if (!stmt->statement) {
		stmt->prepare_status =
			db->driver->prepare(db->connection, sql, &stmt->statement, &stmt->n_parameters, &stmt->writes);
		if (stmt->prepare_status == OK)
			stmt->is_bound = calloc((size_t)stmt->n_parameters + 1, sizeof *stmt->is_bound);
		else /* the text of the error must outlast what runs before db_step */
			snprintf(db->error, sizeof db->error, "%s", db->driver->error(db->connection));
		if (stmt->prepare_status == OK && !stmt->is_bound)
			abort();
	}
	stmt->state = STMT_READY;
	db->n_in_use++;
	return stmt;
}

/* False: the statement could not be prepared, there is nothing to bind. */
static bool
mark_bound(struct db_stmt *stmt, int parameter)
{
	if (stmt->state != STMT_READY)
		db_misuse("bound after it ran", stmt->sql);
	if (!stmt->statement)
		return false;
	if (parameter < 1 || parameter > stmt->n_parameters)
		db_misuse("no such parameter", stmt->sql);
	stmt->is_bound[parameter] = true;
	return true;
}

void
db_bind_text(struct db_stmt *stmt, int parameter, const char *text)
{
	if (!text)
		db_bind_null(stmt, parameter);
	else if (mark_bound(stmt, parameter))
		stmt->db->driver->bind_text(stmt->statement, parameter, text);
}

void
db_bind_int64(struct db_stmt *stmt, int parameter, int64_t value)
{
	if (mark_bound(stmt, parameter))
		stmt->db->driver->bind_int64(stmt->statement, parameter, value);
}

void
db_bind_bool(struct db_stmt *stmt, int parameter, bool value)
{
	if (mark_bound(stmt, parameter))
		stmt->db->driver->bind_bool(stmt->statement, parameter, value);
}

void
db_bind_null(struct db_stmt *stmt, int parameter)
{
	if (mark_bound(stmt, parameter))
		stmt->db->driver->bind_null(stmt->statement, parameter);
}

void
db_bind_time(struct db_stmt *stmt, int parameter, int64_t wall_ms)
{
	if (wall_ms == 0)
		db_bind_null(stmt, parameter);
	else
		db_bind_int64(stmt, parameter, wall_ms);
}

static void
check_before_first_step(const struct db_stmt *stmt)
{
	for (int i = 1; i <= stmt->n_parameters; i++)
		if (!stmt->is_bound[i])
			db_misuse("a parameter is not bound", stmt->sql);
	if (stmt->writes && stmt->db->transaction != TRANSACTION_WRITE)
		db_misuse("a change outside a write transaction", stmt->sql);
}

void
db_ask(struct db_stmt *stmt)
{
	struct db *db = stmt->db;

	if (stmt->state != STMT_READY)
		db_misuse("asked after it ran", stmt->sql);
	if (db->transaction == TRANSACTION_NONE)
		db_misuse("asked outside a transaction", stmt->sql);
	if (!stmt->statement && !db->failed) {
		db->unread = stmt->prepare_status;
		db->failed = true;
	}
	if (db->failed)
		return; /* db_step says it */
	check_before_first_step(stmt);
	stmt->state = STMT_ASKED;
	if (db->driver->ask) {
		db->driver->ask(stmt->statement);
		return;
	}
	stmt->early_status = db_checked(db, db->driver->step(stmt->statement, &stmt->early_row));
	if (stmt->early_status != OK)
		db->unread = stmt->early_status;
}

/* The row that was there when it was asked. */
static bool
take_early(struct db_stmt *stmt, enum status *ret_status, bool *ret_row)
{
	if (stmt->state != STMT_ASKED || stmt->db->driver->ask)
		return false;
	*ret_status = stmt->early_status;
	*ret_row = stmt->early_row;
	return true;
}

enum status
db_step(struct db_stmt *stmt, bool *ret_row)
{
	struct db *db = stmt->db;
	enum status status;
	bool row = false;

	*ret_row = false;
	if (stmt->state == STMT_DONE)
		db_misuse("stepped beyond its end", stmt->sql);
	if (stmt->statement && stmt->state == STMT_READY)
		check_before_first_step(stmt);
	if (!stmt->statement) {
		status = stmt->prepare_status;
		db->failed = db->transaction != TRANSACTION_NONE;
	} else if (take_early(stmt, &status, &row)) {
		/* as it was */
	} else if (db->failed && stmt->state != STMT_ASKED) {
		status = db_failed_status(db);
	} else {
		status = db_checked(db, db->driver->step(stmt->statement, &row));
	}
	*ret_row = status == OK && row;
	stmt->state = *ret_row ? STMT_ROW : STMT_DONE;
	return status;
}

enum status
db_run(struct db_stmt *stmt)
{
	bool row;

	TRY(db_step(stmt, &row));
	if (row)
		db_misuse("db_run of a statement that returns rows", stmt->sql);
	return OK;
}

enum status
db_one(struct db_stmt *stmt, bool *ret_row)
{
	return db_step(stmt, ret_row);
}

/* The type of a column that is about to be read; NULL fits all. */
static enum db_column_type
column_type(struct db_stmt *stmt, int column, enum db_column_type wanted)
{
	enum db_column_type type;

	if (stmt->state != STMT_ROW)
		db_misuse("a column without a row", stmt->sql);
	if (column < 0 || column >= stmt->db->driver->n_columns(stmt->statement))
		db_misuse("no such column", stmt->sql);
	type = stmt->db->driver->column_type(stmt->statement, column);
	if (type != DB_COLUMN_NULL && type != wanted)
		db_misuse("a column read as another type", stmt->sql);
	return type;
}

bool
db_column_is_null(struct db_stmt *stmt, int column)
{
	if (stmt->state != STMT_ROW)
		db_misuse("a column without a row", stmt->sql);
	return stmt->db->driver->column_type(stmt->statement, column) == DB_COLUMN_NULL;
}

int64_t
db_column_int64(struct db_stmt *stmt, int column)
{
	if (column_type(stmt, column, DB_COLUMN_INT64) == DB_COLUMN_NULL)
		return 0;
	return stmt->db->driver->column_int64(stmt->statement, column);
}

bool
db_column_bool(struct db_stmt *stmt, int column)
{
	if (column_type(stmt, column, DB_COLUMN_INT64) == DB_COLUMN_NULL)
		return false;
	return stmt->db->driver->column_bool(stmt->statement, column);
}

char *
db_column_text(struct db_stmt *stmt, int column, struct arena *arena)
{
	const char *text;
	size_t len;

	if (column_type(stmt, column, DB_COLUMN_TEXT) == DB_COLUMN_NULL)
		return NULL;
	text = stmt->db->driver->column_text(stmt->statement, column, &len);
	return arena_memdup(arena, text, len);
}

void
db_column_copy(struct db_stmt *stmt, int column, char *ret_text, size_t size)
{
	const char *text = "";
	size_t len = 0;

	if (column_type(stmt, column, DB_COLUMN_TEXT) != DB_COLUMN_NULL)
		text = stmt->db->driver->column_text(stmt->statement, column, &len);
	if (len >= size)
		db_misuse("a column longer than its place", stmt->sql);
	memcpy(ret_text, text, len);
	ret_text[len] = '\0';
}

void
db_finish(struct db_stmt *stmt)
{
	if (!stmt)
		return;
	if (stmt->state == STMT_IDLE)
		db_misuse("finished twice", stmt->sql);
	stmt->db->n_in_use--;
	stmt->state = STMT_IDLE;
	if (!stmt->statement) {
		destroy_statement(stmt);
		return;
	}
	stmt->db->driver->reset(stmt->statement);
	memset(stmt->is_bound, 0, ((size_t)stmt->n_parameters + 1) * sizeof *stmt->is_bound);
}

void
db_stmt_end_all(struct db *db)
{
	for (struct db_stmt *stmt = db->statements; stmt; stmt = stmt->hh.next) {
		if (stmt->state == STMT_IDLE || !stmt->statement)
			continue;
		db->driver->reset(stmt->statement);
		stmt->state = STMT_DONE;
	}
}

void
db_stmt_destroy_all(struct db *db)
{
	struct db_stmt *stmt, *next;

	HASH_ITER (hh, db->statements, stmt, next)
		destroy_statement(stmt);
}
