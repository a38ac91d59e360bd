/* Talking to the server: sends, waits with a limit of its own (a stopped server keeps no timeout), and tells what an error
 * means by its SQLSTATE (PostgreSQL 15, appendix A). */
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "db/driver_postgres.h"

void
driver_postgres_note(struct db_connection *connection, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(connection->error, sizeof connection->error, format, arguments);
	va_end(arguments);
	for (char *c = connection->error; *c; c++)
		if (*c == '\n')
			*c = c[1] ? ' ' : '\0';
}

void
driver_postgres_lose(struct db_connection *connection)
{
	PQfinish(connection->handle);
	connection->handle = NULL;
}

static bool
is_class(const char *state, const char *class)
{
	return strncmp(state, class, strlen(class)) == 0;
}

/* Of an error that the server has reported. */
static enum status
status_of(const char *state)
{
	if (strcmp(state, "23505") == 0)
		return ERR_CONFLICT;
	if (is_class(state, "23") || is_class(state, "22") || is_class(state, "42"))
		return ERR_INTERNAL;
	return is_class(state, "XX") || is_class(state, "P0") ? ERR_INTERNAL : ERR_UNAVAILABLE;
}

static enum db_trouble
trouble_of(const char *state)
{
	if (strcmp(state, "55P03") == 0)
		return DB_TROUBLE_LOCKED;
	return strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0 ? DB_TROUBLE_CLASH : DB_TROUBLE_NONE;
}

/* "cached plan must not change result type" after a migration, or a pooler that has handed us another session. */
static bool
is_outdated(const char *state)
{
	return strcmp(state, "0A000") == 0 || strcmp(state, "26000") == 0;
}

/* A server that does not take writes any more (it has become a standby) is not the one that we want. */
static bool
is_wrong_server(const struct db_connection *connection, const char *state)
{
	return strcmp(state, "25006") == 0 && connection->access == DB_ACCESS_WRITE;
}

static enum status
lost(struct db_connection *connection, const char *why)
{
	driver_postgres_note(connection, "%s", why);
	driver_postgres_lose(connection);
	return ERR_UNAVAILABLE;
}

enum status
driver_postgres_judge(struct db_connection *connection, const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);

	switch (PQresultStatus(result)) {
	case PGRES_EMPTY_QUERY:
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
		return OK;
	case PGRES_BAD_RESPONSE:
	case PGRES_NONFATAL_ERROR:
	case PGRES_FATAL_ERROR:
	case PGRES_COPY_OUT:
	case PGRES_COPY_IN:
	case PGRES_COPY_BOTH:
	case PGRES_SINGLE_TUPLE:
	case PGRES_PIPELINE_SYNC:
	case PGRES_PIPELINE_ABORTED:
	default:
		break;
	}
	if (!state)
		return lost(connection, PQresultErrorMessage(result));
	driver_postgres_note(connection, "%s (SQLSTATE %s)", primary ? primary : "", state);
	connection->trouble = trouble_of(state);
	connection->outdated = is_outdated(state);
	connection->missing = strcmp(state, "26000") == 0;
	if (!severity || strcmp(severity, "ERROR") != 0 || is_wrong_server(connection, state))
		driver_postgres_lose(connection); /* FATAL and PANIC: the server closes it too */
	return status_of(state);
}

enum status
driver_postgres_await(struct db_connection *connection, int64_t until_ms)
{
	struct pollfd socket = {.fd = PQsocket(connection->handle)};

	for (;;) {
		int unsent = PQflush(connection->handle);

		if (unsent < 0)
			return lost(connection, PQerrorMessage(connection->handle));
		if (unsent == 0 && !PQisBusy(connection->handle))
			return OK;

		int64_t left_ms = until_ms - clock_monotonic_ms();
		socket.events = (short)(POLLIN | (unsent ? POLLOUT : 0));
		if (left_ms <= 0)
			return lost(connection, "the database did not answer in time");
		if (poll(&socket, 1, left_ms > INT_MAX ? INT_MAX : (int)left_ms) > 0 &&
		    (socket.revents & ~POLLOUT) != 0 && !PQconsumeInput(connection->handle))
			return OK; /* what the server had to say comes first, then that it is gone */
	}
}

int64_t
driver_postgres_until_ms(const struct db_connection *connection)
{
	return connection->patient ? INT64_MAX : clock_monotonic_ms() + connection->answer_within_ms;
}

enum status
driver_postgres_receive(struct db_connection *connection, int sent, PGresult **ret_result)
{
	int64_t until_ms = driver_postgres_until_ms(connection);
	enum status status = OK;
	PGresult *last = NULL, *next;

	if (!sent)
		return lost(connection, PQerrorMessage(connection->handle));
	for (;;) {
		enum status waited = driver_postgres_await(connection, until_ms);

		if (waited != OK) {
			status = waited;
			break;
		}
		next = PQgetResult(connection->handle);
		if (!next)
			break;
		PQclear(last);
		last = next;
		if (status == OK)
			status = driver_postgres_judge(connection, next);
		if (!connection->handle)
			break;
	}
	if (status == OK && ret_result) {
		*ret_result = last;
		return OK;
	}
	PQclear(last);
	return status;
}

enum status
driver_postgres_query(struct db_connection *connection, const char *sql, PGresult **ret_result)
{
	return driver_postgres_receive(connection, PQsendQuery(connection->handle, sql), ret_result);
}

/* The answer to COPY is the wish for rows. */
static enum status
begin_load(struct db_connection *connection, const char *sql, int64_t until_ms)
{
	enum status status;
	PGresult *result;

	if (!PQsendQuery(connection->handle, sql))
		return lost(connection, PQerrorMessage(connection->handle));
	TRY(driver_postgres_await(connection, until_ms));
	result = PQgetResult(connection->handle);
	if (PQresultStatus(result) == PGRES_COPY_IN) {
		PQclear(result);
		return OK;
	}
	status =
		result ? driver_postgres_judge(connection, result) : lost(connection, "the database asked for no rows");
	PQclear(result);
	if (connection->handle)
		driver_postgres_lose(connection); /* there may be more to come, which nobody reads */
	return status == OK ? ERR_INTERNAL : status;
}

/* PQputCopyData keeps what cannot be sent yet, and refuses when it can keep no more. */
static enum status
send_rows(struct db_connection *connection, const char *rows, size_t len, int64_t until_ms)
{
	enum { PIECE = 1 << 16 };
	struct pollfd socket = {.fd = PQsocket(connection->handle), .events = POLLOUT};

	while (len > 0) {
		int piece = len < PIECE ? (int)len : PIECE;
		int queued = PQputCopyData(connection->handle, rows, piece);

		if (queued < 0 || PQflush(connection->handle) < 0)
			return lost(connection, PQerrorMessage(connection->handle));
		if (queued == 0 && poll(&socket, 1, 100) == 0 && clock_monotonic_ms() > until_ms)
			return lost(connection, "the database did not take the rows in time");
		rows += queued ? piece : 0;
		len -= queued ? (size_t)piece : 0;
	}
	if (PQputCopyEnd(connection->handle, NULL) != 1)
		return lost(connection, PQerrorMessage(connection->handle));
	return OK;
}

enum status
driver_postgres_load(struct db_connection *connection, const char *sql, const char *rows, size_t len)
{
	int64_t until_ms = clock_monotonic_ms() + connection->answer_within_ms;

	TRY(driver_postgres_settle(connection));
	TRY(begin_load(connection, sql, until_ms));
	TRY(send_rows(connection, rows, len, until_ms));
	return driver_postgres_receive(connection, 1, NULL);
}
