/* Statements: prepared on the server when they first run on a connection, with the types of what is bound, so that nothing
 * rests on what PostgreSQL infers. Values go and come as text. */
#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/driver_postgres.h"

/* Types by their numbers in pg_type, which never change (src/include/catalog/pg_type.dat). */
enum {
	TYPE_NONE = 0, /* NULL fits all */
	TYPE_BOOL = 16,
	TYPE_NAME = 19,
	TYPE_INT8 = 20,
	TYPE_INT2 = 21,
	TYPE_INT4 = 23,
	TYPE_TEXT = 25,
	TYPE_UNKNOWN = 705,
	TYPE_VARCHAR = 1043,
	TYPE_NUMERIC = 1700,
};

enum { PARAMETERS_MAX = 65535 };

/* Behind a string that starts at `at`. */
static const char *
skip_quoted(const char *at)
{
	const char *end = strchr(at + 1, *at);

	return end ? end + 1 : at + strlen(at);
}

/* Notes which numbers stand in the text and returns the highest. */
static int
find_parameters(const char *sql, bool *seen)
{
	long highest = 0;

	while (*sql) {
		if (*sql == '\'' || *sql == '"') {
			sql = skip_quoted(sql);
		} else if (*sql == '$' && isdigit((unsigned char)sql[1])) {
			char *end;
			long number = strtol(sql + 1, &end, 10);

			if (number >= 1 && number <= PARAMETERS_MAX)
				seen[number] = true;
			if (number > highest)
				highest = number;
			sql = end;
		} else {
			sql++;
		}
	}
	return (int)highest;
}

static int
count_parameters(const char *sql)
{
	bool *seen = calloc(PARAMETERS_MAX + 1, sizeof *seen);
	int n;

	if (!seen)
		abort();
	n = find_parameters(sql, seen);
	for (int i = 1; i <= n; i++)
		if (n > PARAMETERS_MAX || !seen[i]) {
			fprintf(stderr, "parameters must be $1, $2 ... without a hole: %s\n", sql);
			abort();
		}
	free(seen);
	return n;
}

/* By the first word: a SELECT of ours changes nothing, and in a WITH nothing is hidden. */
static bool
changes_data(const char *sql)
{
	static const char *const words[] = {"INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "TRUNCATE"};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strncasecmp(sql, words[i], strlen(words[i])) == 0)
			return true;
	return strncasecmp(sql, "WITH", 4) == 0 &&
	       (strcasestr(sql, "INSERT INTO") || strcasestr(sql, "UPDATE ") || strcasestr(sql, "DELETE FROM"));
}

enum status
driver_postgres_prepare(struct db_connection *connection, const char *sql, struct db_statement **ret_statement,
			int *ret_n_parameters, bool *ret_writes)
{
	int n = count_parameters(sql);
	size_t room = n > 0 ? (size_t)n : 1;
	struct db_statement *statement = calloc(1, sizeof *statement);

	if (!statement)
		abort();
	statement->values = calloc(room, sizeof *statement->values);
	statement->texts = calloc(room, sizeof *statement->texts);
	statement->types = calloc(room, sizeof *statement->types);
	if (!statement->values || !statement->texts || !statement->types)
		abort();
	statement->connection = connection;
	statement->sql = sql;
	statement->n_parameters = n;
	*ret_n_parameters = n;
	*ret_writes = changes_data(sql);
	*ret_statement = statement;
	return OK;
}

void
driver_postgres_destroy(struct db_statement *statement)
{
	PQclear(statement->result);
	free(statement->values);
	free(statement->texts);
	free(statement->types);
	free(statement);
}

void
driver_postgres_bind_text(struct db_statement *statement, int parameter, const char *text)
{
	statement->values[parameter - 1].type = TYPE_TEXT;
	statement->values[parameter - 1].text = text;
}

void
driver_postgres_bind_int64(struct db_statement *statement, int parameter, int64_t number)
{
	struct driver_postgres_value *value = &statement->values[parameter - 1];

	snprintf(value->number, sizeof value->number, "%" PRId64, number);
	value->type = TYPE_INT8;
	value->text = value->number;
}

void
driver_postgres_bind_bool(struct db_statement *statement, int parameter, bool flag)
{
	statement->values[parameter - 1].type = TYPE_BOOL;
	statement->values[parameter - 1].text = flag ? "t" : "f";
}

void
driver_postgres_bind_null(struct db_statement *statement, int parameter)
{
	statement->values[parameter - 1].type = TYPE_NONE;
	statement->values[parameter - 1].text = NULL;
}

/* A NULL says nothing of the type: what was prepared for one is prepared again when something is bound. */
static bool
is_prepared(const struct db_statement *statement)
{
	if (statement->prepared_for != statement->connection->number)
		return false;
	for (int i = 0; i < statement->n_parameters; i++)
		if (statement->values[i].type != TYPE_NONE && statement->values[i].type != statement->types[i])
			return false;
	return true;
}

static void
name_anew(struct db_statement *statement)
{
	struct db_connection *connection = statement->connection;
	bool again = statement->prepared_for == connection->number;

	/* What was bound once is known: only new connections forget. */
	for (int i = 0; i < statement->n_parameters; i++)
		if (statement->values[i].type != TYPE_NONE || !again)
			statement->types[i] = statement->values[i].type;
	statement->prepared_for = statement->there_on = 0;
	snprintf(statement->name, sizeof statement->name, "s%" PRIu64, ++connection->n_prepared);
}

static void
note(struct db_statement *statement, enum driver_postgres_step step)
{
	struct db_connection *connection = statement->connection;

	connection->asked[connection->n_asked++] = (struct driver_postgres_asked){.statement = statement, .step = step};
}

/* Prepared again under another name: the server would keep the old one until the session ends. */
static int
send_drop(struct db_statement *statement)
{
	char sql[sizeof "DEALLOCATE " + DRIVER_POSTGRES_NUMBER_SIZE];

	note(statement, DRIVER_POSTGRES_DROP);
	snprintf(sql, sizeof sql, "DEALLOCATE %s", statement->name);
	return PQsendQueryParams(statement->connection->handle, sql, 0, NULL, NULL, NULL, NULL, 0);
}

static int
send_prepare(struct db_statement *statement)
{
	note(statement, DRIVER_POSTGRES_PREPARE);
	name_anew(statement);
	statement->prepared_for = statement->there_on = statement->connection->number;
	return PQsendPrepare(statement->connection->handle, statement->name, statement->sql, statement->n_parameters,
			     statement->types);
}

static int
send_execute(struct db_statement *statement)
{
	note(statement, DRIVER_POSTGRES_EXECUTE);
	for (int i = 0; i < statement->n_parameters; i++)
		statement->texts[i] = statement->values[i].text;
	return PQsendQueryPrepared(statement->connection->handle, statement->name, statement->n_parameters,
				   statement->texts, NULL, NULL, 0);
}

bool
driver_postgres_send(struct db_statement *statement)
{
	struct db_connection *connection = statement->connection;

	statement->asked = true;
	if (is_prepared(statement))
		return send_execute(statement);
	return (statement->there_on != connection->number || send_drop(statement)) && send_prepare(statement) &&
	       send_execute(statement);
}

/* Outside a transaction only reads happen. */
static enum status
prepare_alone(struct db_connection *connection)
{
	connection->fresh = connection->handle != NULL;
	connection->begin_pending = false;
	connection->owed = OK;
	return driver_postgres_connect(connection);
}

enum status
driver_postgres_step(struct db_statement *statement, bool *ret_row)
{
	struct db_connection *connection = statement->connection;

	if (!statement->result) {
		if (!statement->asked) {
			if (!connection->in_transaction)
				TRY(prepare_alone(connection));
			driver_postgres_ask(statement);
		}
		if (statement->asked) {
			enum status of_all = driver_postgres_wait(connection);

			(void)of_all; /* when what was asked after this one has failed, the next one says so */
		}
		TRY(statement->status);
	}
	*ret_row = ++statement->row < PQntuples(statement->result);
	return OK;
}

void
driver_postgres_reset(struct db_statement *statement)
{
	struct db_connection *connection = statement->connection;

	for (size_t i = 0; i < connection->n_asked && statement->asked; i++)
		if (connection->asked[i].statement == statement)
			connection->asked[i].unread = true;
	statement->asked = false;
	PQclear(statement->result);
	statement->result = NULL;
	for (int i = 0; i < statement->n_parameters; i++)
		driver_postgres_bind_null(statement, i + 1);
}

int
driver_postgres_n_columns(struct db_statement *statement)
{
	return PQnfields(statement->result);
}

/* sum() of BIGINT is NUMERIC. */
static bool
is_whole(const char *text)
{
	text += *text == '-';
	return *text && text[strspn(text, "0123456789")] == '\0';
}

enum db_column_type
driver_postgres_column_type(struct db_statement *statement, int column)
{
	if (PQgetisnull(statement->result, statement->row, column))
		return DB_COLUMN_NULL;
	switch (PQftype(statement->result, column)) {
	case TYPE_BOOL:
	case TYPE_INT2:
	case TYPE_INT4:
	case TYPE_INT8:
		return DB_COLUMN_INT64;
	case TYPE_NUMERIC:
		return is_whole(PQgetvalue(statement->result, statement->row, column)) ? DB_COLUMN_INT64
										       : DB_COLUMN_OTHER;
	case TYPE_TEXT:
	case TYPE_NAME:
	case TYPE_UNKNOWN:
	case TYPE_VARCHAR:
		return DB_COLUMN_TEXT;
	default:
		return DB_COLUMN_OTHER;
	}
}

int64_t
driver_postgres_column_int64(struct db_statement *statement, int column)
{
	const char *text = PQgetvalue(statement->result, statement->row, column);

	return PQftype(statement->result, column) == TYPE_BOOL ? *text == 't' : strtoll(text, NULL, 10);
}

bool
driver_postgres_column_bool(struct db_statement *statement, int column)
{
	return driver_postgres_column_int64(statement, column) != 0;
}

const char *
driver_postgres_column_text(struct db_statement *statement, int column, size_t *ret_len)
{
	*ret_len = (size_t)PQgetlength(statement->result, statement->row, column);
	return PQgetvalue(statement->result, statement->row, column);
}
