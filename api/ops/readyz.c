/* GET /readyz: whether people can be served. Without the database or push they cannot; without Redis they can, a little
 * slower. The answer is a report, not a refusal, so it is no problem document at 503 either. */
#include "ops.gen.h"
#include "probe.h"
#include "req.h"
#include "store/meta.h"

enum { PUSH_TIMEOUT_MS = 1000 };

static bool
is_database_ready(struct req *req)
{
	char epoch[EVENT_EPOCH_SIZE];
	struct db *db;

	if (req_db(req, &db) != OK)
		return false;
	if (meta_epoch(db, epoch) == OK)
		return true;
	reader_give_up(req->reader);
	return false;
}

enum status
op_readyz(struct req *req)
{
	const struct config *config = req->app->config;
	bool database = is_database_ready(req);
	bool push = probe_http(config->push_bind, config->push_port, "/readyz", PUSH_TIMEOUT_MS);
	bool redis = req->app->bus && bus_is_up(req->app->bus);

	return req_reply(req, database && push ? 200 : 503,
			 json_pack("{s:s, s:s, s:s, s:s}", "status", database && push ? "ready" : "unavailable",
				   "database", database ? "ok" : "failed", "redis", redis ? "ok" : "degraded", "push",
				   push ? "ok" : "failed"));
}
