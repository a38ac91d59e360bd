/* GET /healthz: the process is alive. Asks nobody else. */
#include "ops.gen.h"
#include "req.h"

enum status
op_healthz(struct req *req)
{
	return req_reply(req, 200, json_pack("{s:s}", "status", "ok"));
}
