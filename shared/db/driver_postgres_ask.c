/* Asking before waiting: what a transaction asks goes to the server in one piece when an answer is needed, and comes back in one
 * (a pipeline of libpq). The first question takes BEGIN along.
 *
 * After an error the server skips what stands behind it in the pipeline, so a transaction stores all of it or nothing. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "db/driver_postgres.h"

/* The id of a write transaction is drawn with BEGIN, before it can have changed anything. Rows are locked in the order of their ids,
 * so that two writers never wait for each other; weaker than FOR UPDATE, because a message that refers to the row needs not wait, and
 * would do so in no order. */
static const char *const own_sql[] = {
	[DRIVER_POSTGRES_BEGIN_READ] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
	[DRIVER_POSTGRES_BEGIN_WRITE] = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
	[DRIVER_POSTGRES_PLAN_ANEW] = "DISCARD PLANS",
	[DRIVER_POSTGRES_CHANGE_NO] = "SELECT pg_current_xact_id()",
	[DRIVER_POSTGRES_LOCK_CONVERSATIONS] = "SELECT 1 FROM conversations WHERE id = ANY ($1::text[])"
					       " ORDER BY id FOR NO KEY UPDATE",
	[DRIVER_POSTGRES_LOCK_USERS] = "SELECT 1 FROM users WHERE id = ANY ($1::text[])"
				       " ORDER BY id FOR NO KEY UPDATE",
	[DRIVER_POSTGRES_COMMIT] = "COMMIT",
};
_Static_assert(sizeof own_sql / sizeof own_sql[0] == DRIVER_POSTGRES_OWN__MAX, "each has its text");

void
driver_postgres_make_own(struct db_connection *connection)
{
	int n_parameters;
	bool writes;

	for (size_t i = 0; i < DRIVER_POSTGRES_OWN__MAX; i++)
		if (driver_postgres_prepare(connection, own_sql[i], &connection->own[i], &n_parameters, &writes) != OK)
			abort();
}

void
driver_postgres_destroy_own(struct db_connection *connection)
{
	for (size_t i = 0; i < DRIVER_POSTGRES_OWN__MAX; i++)
		driver_postgres_destroy(connection->own[i]);
	for (size_t i = 0; i < sizeof connection->lock_ids / sizeof connection->lock_ids[0]; i++)
		buf_finish(&connection->lock_ids[i]);
}

static void
send(struct db_statement *statement)
{
	struct db_connection *connection = statement->connection;

	if (connection->n_asked == 0) {
		connection->refused = false;
		connection->sent = PQenterPipelineMode(connection->handle) == 1;
	}
	PQclear(statement->result);
	statement->result = NULL;
	statement->status = OK;
	assert(connection->n_asked + 3 <= DRIVER_POSTGRES_ASKED_MAX);
	connection->sent = driver_postgres_send(statement) && connection->sent;
}

/* A plan that was made while a table was empty reads all of it when it has grown, until the server has counted its rows, which takes
 * a minute: it is made again after 4, 16, 64 ... transactions. */
static bool
plans_are_old(struct db_connection *connection)
{
	uint64_t n = connection->n_transactions++;

	while (n > 1 && n % 4 == 0)
		n /= 4;
	return n == 1;
}

static void
send_begin(struct db_connection *connection)
{
	bool writes = connection->kind == DB_WRITE;

	connection->begin_pending = false;
	send(connection->own[writes ? DRIVER_POSTGRES_BEGIN_WRITE : DRIVER_POSTGRES_BEGIN_READ]);
	if (plans_are_old(connection))
		send(connection->own[DRIVER_POSTGRES_PLAN_ANEW]);
	if (writes)
		send(connection->own[DRIVER_POSTGRES_CHANGE_NO]);
}

void
driver_postgres_ask(struct db_statement *statement)
{
	enum { ENTRIES_MAX = 12 }; /* of BEGIN with what goes along, and one more: three each at most */
	struct db_connection *connection = statement->connection;

	if (connection->n_asked + ENTRIES_MAX > DRIVER_POSTGRES_ASKED_MAX)
		connection->owed = driver_postgres_wait(connection);
	statement->status = connection->handle ? connection->owed : ERR_UNAVAILABLE;
	if (statement->status != OK)
		return;
	if (connection->begin_pending)
		send_begin(connection);
	send(statement);
}

static void
answer(struct driver_postgres_asked *asked, enum status status, PGresult *result)
{
	struct db_statement *statement = asked->statement;
	struct db_connection *connection = statement->connection;

	if (status != OK && asked->step == DRIVER_POSTGRES_PREPARE)
		statement->prepared_for = statement->there_on = 0;
	if (asked->step == DRIVER_POSTGRES_EXECUTE && connection->outdated)
		statement->prepared_for = 0;
	if (asked->step != DRIVER_POSTGRES_PREPARE && connection->missing)
		statement->there_on = 0;
	if (asked->unread || (status == OK && asked->step != DRIVER_POSTGRES_EXECUTE)) {
		PQclear(result);
		return;
	}
	if (statement->status == OK)
		statement->status = status;
	if (asked->step == DRIVER_POSTGRES_EXECUTE)
		statement->asked = false;
	if (status == OK) {
		PQclear(statement->result);
		statement->result = result;
		statement->row = -1;
	} else {
		PQclear(result);
	}
}

/* An error of the server's own; libpq makes others, which have no SQLSTATE. */
static bool
is_refusal(const struct driver_postgres_asked *asked, const PGresult *result)
{
	return asked->statement != asked->statement->connection->own[DRIVER_POSTGRES_COMMIT] &&
	       PQresultErrorField(result, PG_DIAG_SQLSTATE);
}

/* Which wait it was that took too long. */
static enum db_trouble
trouble_of(const struct db_connection *connection, const struct db_statement *statement)
{
	if (connection->trouble == DB_TROUBLE_LOCKED &&
	    statement == connection->own[DRIVER_POSTGRES_LOCK_CONVERSATIONS])
		return DB_TROUBLE_CONVERSATION_LOCKED;
	if (connection->trouble == DB_TROUBLE_LOCKED && statement == connection->own[DRIVER_POSTGRES_LOCK_USERS])
		return DB_TROUBLE_USER_LOCKED;
	return connection->trouble;
}

/* A session that ends between its last answer and the sync, as one that is terminated while it commits, has given all of them:
 * they hold. */
static void
hear_the_end(struct db_connection *connection, PGresult *result)
{
	enum status status = driver_postgres_judge(connection, result);

	(void)status; /* whoever asks next is told */
	PQclear(result);
}

/* Reads one answer after the other, up to the sync. Returns the status of the first that failed; *ret_n_answered are those that
 * have an answer. */
static enum status
receive(struct db_connection *connection, size_t *ret_n_answered)
{
	enum status first = OK;
	size_t i = 0;

	while (connection->handle) {
		enum status status = driver_postgres_await(connection, driver_postgres_until_ms(connection));
		PGresult *next = status == OK ? PQgetResult(connection->handle) : NULL;

		if (status != OK) {
			first = first == OK && i < connection->n_asked ? status : first;
			break;
		}
		if (!next) {
			i++; /* stands behind each answer */
			continue;
		}
		if (PQresultStatus(next) == PGRES_PIPELINE_SYNC) {
			PQclear(next);
			break;
		}
		if (i >= connection->n_asked) {
			hear_the_end(connection, next);
			continue;
		}
		connection->outdated = connection->missing = false;
		if (PQresultStatus(next) == PGRES_PIPELINE_ABORTED) {
			answer(&connection->asked[i], first, next);
			continue;
		}
		status = driver_postgres_judge(connection, next);
		connection->trouble = trouble_of(connection, connection->asked[i].statement);
		connection->refused = connection->refused || (status != OK && is_refusal(&connection->asked[i], next));
		first = first == OK ? status : first;
		if (connection->asked[i].statement != connection->own[DRIVER_POSTGRES_COMMIT])
			connection->warned = false; /* a trigger's warning is not the COMMIT's */
		answer(&connection->asked[i], status, next);
		if (!connection->handle)
			i++;
	}
	*ret_n_answered = i < connection->n_asked ? i : connection->n_asked;
	return first;
}

static enum status
exchange(struct db_connection *connection)
{
	size_t n_answered = 0;
	enum status status = OK;

	if (connection->handle && (!connection->sent || !PQpipelineSync(connection->handle))) {
		driver_postgres_note(connection, "%s", PQerrorMessage(connection->handle));
		driver_postgres_lose(connection);
	}
	status = connection->handle ? receive(connection, &n_answered) : ERR_UNAVAILABLE;
	connection->outdated = connection->missing = false;
	for (size_t i = n_answered; i < connection->n_asked; i++)
		answer(&connection->asked[i], ERR_UNAVAILABLE, NULL);
	if (connection->handle && !PQexitPipelineMode(connection->handle)) {
		driver_postgres_note(connection, "%s", PQerrorMessage(connection->handle));
		driver_postgres_lose(connection);
		status = status == OK ? ERR_UNAVAILABLE : status;
	}
	return status;
}

/* What nobody reads any more has lost what was bound to it; a COMMIT may have been heard. */
static bool
can_ask_again(const struct db_connection *connection)
{
	for (size_t i = 0; i < connection->n_asked; i++)
		if (connection->asked[i].unread ||
		    connection->asked[i].statement == connection->own[DRIVER_POSTGRES_COMMIT])
			return false;
	return connection->fresh;
}

static void
ask_again(struct db_connection *connection)
{
	struct driver_postgres_asked asked[DRIVER_POSTGRES_ASKED_MAX];
	size_t n_asked = connection->n_asked;

	memcpy(asked, connection->asked, n_asked * sizeof *asked);
	connection->n_asked = 0;
	for (size_t i = 0; i < n_asked; i++) {
		if (asked[i].step == DRIVER_POSTGRES_EXECUTE)
			send(asked[i].statement);
	}
}

/* A connection that turns out to be dead is made anew at once, if nothing was answered on it yet. */
enum status
driver_postgres_wait(struct db_connection *connection)
{
	enum status status;

	if (connection->n_asked == 0)
		return connection->owed;
	status = exchange(connection);
	if (!connection->handle && can_ask_again(connection) && driver_postgres_connect(connection) == OK) {
		ask_again(connection);
		status = exchange(connection);
	}
	connection->n_asked = 0;
	connection->fresh = false;
	if (connection->in_transaction)
		connection->owed = status;
	return status;
}

enum status
driver_postgres_settle(struct db_connection *connection)
{
	if (!connection->handle)
		return ERR_UNAVAILABLE;
	if (connection->in_transaction && connection->begin_pending)
		send_begin(connection);
	return driver_postgres_wait(connection);
}
