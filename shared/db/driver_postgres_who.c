/* Who keeps others from having table meta to themselves: for an operator whose command waits in vain. */
#include "base/buf.h"
#include "db/driver_postgres.h"

/* Whoever has just come is not to blame. Of other roles the server shows the number and the name alone, unless ours may read all
 * (pg_read_all_stats). */
static const char sql[] =
	"SELECT concat_ws(', ', coalesce('PID ' || l.pid, 'a prepared transaction (pg_prepared_xacts lists them)'),"
	" 'application ' || nullif(a.application_name, ''), 'role ' || a.usename,"
	" CASE WHEN l.pid IS NOT NULL THEN coalesce(a.state, 'the rest is not shown to this role') END,"
	" 'transaction since ' || to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),"
	" 'query since ' || to_char(a.query_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'))"
	" FROM (SELECT DISTINCT k.pid FROM pg_locks k JOIN pg_database d ON d.oid = k.database"
	" WHERE d.datname = current_database() AND k.locktype = 'relation' AND k.granted"
	" AND k.relation = to_regclass('meta')) l LEFT JOIN pg_stat_activity a ON a.pid = l.pid"
	" WHERE l.pid IS DISTINCT FROM pg_backend_pid()"
	" AND (a.xact_start IS NULL OR a.xact_start < clock_timestamp() - interval '300 ms')"
	" ORDER BY a.xact_start NULLS FIRST LIMIT 8";

void
driver_postgres_who_holds(struct db_connection *connection, struct buf *ret_lines)
{
	PGresult *result;

	if (driver_postgres_connect(connection) != OK || driver_postgres_query(connection, sql, &result) != OK)
		return;
	for (int row = 0; row < PQntuples(result); row++)
		buf_printf(ret_lines, "%s\n", PQgetvalue(result, row, 0));
	PQclear(result);
}
