/* GET /readyz: whether people can be served. Without the database or push they cannot; without Redis they can, a little
 * slower. Push that runs on other hosts is asked by the balancer, not from here. The answer is a report, not a refusal, so it is no problem document at 503 either. */
#include <string.h>

#include "ops.gen.h"
#include "probe.h"
#include "req.h"
#include "store/meta.h"

enum { PUSH_TIMEOUT_MS = 1000 };

static const char *
database_state(struct req *req)
{
	struct fault fault = {0};
	struct db *db;

	if (req_db(req, &db) != OK)
		return "failed";
	if (meta_check_serving(db, &fault) == OK)
		return "ok";
	if (fault.code)
		return fault.code; /* loading, moved */
	reader_doubt(req->reader);
	return "failed";
}

static const char *
push_state(const struct config *config)
{
	if (config->push_processes == 0)
		return "elsewhere";
	return probe_http(config->push_bind, config->push_port, "/readyz", PUSH_TIMEOUT_MS) ? "ok" : "failed";
}

enum status
op_readyz(struct req *req)
{
	const char *database = database_state(req);
	const char *push = push_state(req->app->config);
	bool redis = req->app->bus && bus_is_up(req->app->bus);
	bool ready = strcmp(database, "ok") == 0 && strcmp(push, "failed") != 0;

	return req_reply(req, ready ? 200 : 503,
			 json_pack("{s:s, s:s, s:s, s:s}", "status", ready ? "ready" : "unavailable", "database",
				   database, "redis", redis ? "ok" : "degraded", "push", push));
}
