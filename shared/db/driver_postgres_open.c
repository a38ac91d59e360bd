/* Connecting: what every session of ours is like, whichever server of the list it is with, and how often a server that is away
 * is tried. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "db/driver_postgres.h"
#include "log.h"

enum {
	RETRY_MIN_MS = 100,  /* at most, after the first attempt that failed; doubled with each */
	RETRY_MAX_MS = 1600, /* how late it may be noticed that the server is back */
	GREETING_WITHIN_MS = 5000,
	ANSWER_GRACE_MS = 3000, /* beyond the server's own limit */
	OLDEST_VERSION = 150000,
};

/* What a role or database has of its own in place of the first three holds (ALTER ROLE ... SET). A commit that is acknowledged
 * is on the disk, whatever they say. Compiling a query takes longer than any of ours, and so does planning one of the writer's,
 * which look everything up by its key. */
#define GREET(plan_cache_mode)                                                                                             \
	"SELECT CASE current_setting('statement_timeout') WHEN '0' THEN set_config('statement_timeout', '5s', false) END," \
	" CASE current_setting('lock_timeout') WHEN '0' THEN set_config('lock_timeout', '500ms', false) END,"              \
	" CASE current_setting('idle_in_transaction_session_timeout') WHEN '0'"                                            \
	" THEN set_config('idle_in_transaction_session_timeout', '10s', false) END,"                                       \
	" CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', false) END,"   \
	" set_config('jit', 'off', false), set_config('plan_cache_mode', '" plan_cache_mode "', false);"                   \
	"SELECT pg_encoding_to_char(encoding), 'B' < 'a' AND 'a-b' < 'ab' AND 'z' < chr(233),"                             \
	" (SELECT setting FROM pg_settings WHERE name = 'statement_timeout'),"                                             \
	" CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint()) ELSE"                       \
	" ('x' || lpad(left(pg_walfile_name(pg_current_wal_lsn()), 8), 16, '0'))::bit(64)::bigint END"                     \
	" FROM pg_database WHERE datname = current_database()"
enum { FACT_ENCODING, FACT_BYTEWISE, FACT_STATEMENT_MS, FACT_TIMELINE };

static void
on_notice(void *context, const PGresult *result)
{
	struct db_connection *connection = context;
	const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);

	if (severity && strcmp(severity, "WARNING") == 0)
		connection->warned = true;
	log_debug("database_notice", LOG_S("severity", severity),
		  LOG_S("message", PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY)));
}

/* What stands before the url is a default that the url may change; what stands behind it holds. A list of hosts is tried in
 * its order until one of them takes writes: reads are answered by it too, so that everybody reads what was acknowledged. */
static PGconn *
start(const struct db_connection *connection)
{
	const struct {
		const char *name, *value;
	} parameters[] = {
		{"connect_timeout", "3"},
		{"gssencmode", "disable"},
		{"keepalives_idle", "10"},
		{"keepalives_interval", "3"},
		{"keepalives_count", "3"},
		{"tcp_user_timeout", "10000"},
		{"fallback_application_name", "stonechat"},
		{"target_session_attrs", "read-write"},
		{"dbname", connection->url},
		{"client_encoding", "UTF8"},
		/* the last one: readers leave it out */
		{"target_session_attrs", connection->access == DB_ACCESS_WRITE ? "read-write" : NULL},
	};
	enum { N = sizeof parameters / sizeof parameters[0] };
	const char *names[N + 1] = {0}, *values[N + 1] = {0};

	for (size_t i = 0; i < N; i++) {
		names[i] = parameters[i].name;
		values[i] = parameters[i].value; /* NULL: as if it weren't there */
	}
	return PQconnectdbParams(names, values, 1);
}

static enum status
cannot_use(struct db_connection *connection, const char *why)
{
	driver_postgres_note(connection, "%s", why);
	driver_postgres_lose(connection);
	return ERR_INVALID;
}

/* What the greeting has found out. */
static enum status
check(struct db_connection *connection, const PGresult *facts)
{
	int64_t statement_ms;

	if (PQntuples(facts) != 1)
		return cannot_use(connection, "the server did not answer as PostgreSQL does");
	if (strcmp(PQgetvalue(facts, 0, FACT_ENCODING), "UTF8") != 0)
		return cannot_use(connection, "the database's encoding is not UTF8: create it with ENCODING 'UTF8'");
	if (strcmp(PQgetvalue(facts, 0, FACT_BYTEWISE), "t") != 0)
		return cannot_use(connection, "the database does not sort text by its bytes:"
					      " create it with TEMPLATE template0 LOCALE 'C' ENCODING 'UTF8'");
	statement_ms = strtoll(PQgetvalue(facts, 0, FACT_STATEMENT_MS), NULL, 10);
	connection->answer_within_ms = statement_ms + ANSWER_GRACE_MS;
	connection->timeline = strtoll(PQgetvalue(facts, 0, FACT_TIMELINE), NULL, 10);
	return OK;
}

static enum status
greet_server(struct db_connection *connection)
{
	PGresult *facts;
	enum status status;

	if (PQserverVersion(connection->handle) < OLDEST_VERSION)
		return cannot_use(connection, "the server is older than PostgreSQL 15: use a newer one");
	connection->answer_within_ms = GREETING_WITHIN_MS;
	status = driver_postgres_query(connection,
				       connection->access == DB_ACCESS_WRITE ? GREET("force_generic_plan")
									     : GREET("auto"),
				       &facts);
	if (status != OK) {
		driver_postgres_lose(connection);
		return ERR_UNAVAILABLE;
	}
	status = check(connection, facts);
	PQclear(facts);
	return status;
}

/* Half of the pause is fixed, so that nobody hammers; half is random, so that not all come at once. */
static int64_t
pause_ms(unsigned n_failures)
{
	int64_t whole_ms = RETRY_MIN_MS;
	uint32_t random = 0;

	while (n_failures-- > 1 && whole_ms < RETRY_MAX_MS)
		whole_ms *= 2;
	if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
		random = 0;
	return whole_ms / 2 + random % (whole_ms / 2 + 1);
}

static enum status
attempt(struct db_connection *connection)
{
	connection->handle = start(connection);
	if (!connection->handle)
		abort(); /* out of memory */
	if (PQstatus(connection->handle) != CONNECTION_OK || PQsetnonblocking(connection->handle, 1) != 0) {
		driver_postgres_note(connection, "%s", PQerrorMessage(connection->handle));
		driver_postgres_lose(connection);
		return ERR_UNAVAILABLE;
	}
	PQsetNoticeReceiver(connection->handle, on_notice, connection);
	return greet_server(connection);
}

/* The answer to the end of the last read transaction has long been there. */
static void
read_end(struct db_connection *connection)
{
	bool unread = connection->handle && connection->end_unread;

	connection->end_unread = false;
	if (unread && driver_postgres_receive(connection, 1, NULL) != OK)
		driver_postgres_lose(connection);
}

enum status
driver_postgres_connect(struct db_connection *connection)
{
	enum status status;

	read_end(connection);
	if (connection->handle)
		return OK;
	if (clock_monotonic_ms() < connection->retry_at_ms)
		return ERR_UNAVAILABLE; /* for the reason that error tells */
	status = attempt(connection);
	if (status != OK) {
		connection->n_failures++;
		connection->retry_at_ms = clock_monotonic_ms() + pause_ms(connection->n_failures);
		return connection->opened ? ERR_UNAVAILABLE : status;
	}
	connection->n_failures = 0;
	connection->number++;
	connection->n_transactions = 0;
	log_debug("database_connected", LOG_I("number", connection->number), LOG_I("timeline", connection->timeline));
	return OK;
}
