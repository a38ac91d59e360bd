/* GET /api/v1/auth/tokens: the caller's personal access tokens, without what they are. */
#include "base/clock.h"
#include "ops.gen.h"
#include "req.h"
#include "store/access_tokens.h"

enum status
op_list_tokens(struct req *req)
{
	struct login_session *tokens;
	json_t *items = json_array();
	struct db *db;
	size_t n = 0;
	enum status status = req_db(req, &db);

	if (status == OK)
		status = access_tokens_list(db, &req->arena, req->caller.user_id, clock_wall_ms(), &tokens, &n);
	for (size_t i = 0; status == OK && i < n; i++)
		json_array_append_new(items, access_token_to_json(&tokens[i]));
	if (status == OK)
		return req_reply(req, 200, json_pack("{s:o}", "items", items));
	json_decref(items);
	return status;
}
