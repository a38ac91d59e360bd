/* GET /api/v1/admin/settings: what administrators may switch while the server runs. */
#include "admin.h"
#include "ops.gen.h"
#include "req.h"

enum status
op_get_settings(struct req *req)
{
	const char *sign_up;

	TRY(admin_check(req));
	TRY(admin_sign_up(req, &sign_up));
	return req_reply(req, 200, json_pack("{s:s}", "sign_up", sign_up));
}
