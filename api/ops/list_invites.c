/* GET /api/v1/admin/invites: who was invited, and by which invite somebody came. */
#include "admin.h"
#include "base/clock.h"
#include "cursor.h"
#include "ops.gen.h"
#include "req.h"
#include "store/invites.h"

enum status
op_list_invites(struct req *req)
{
	const char *before = NULL;
	int64_t limit, unused;
	struct invite *invites;
	size_t n;
	bool more;
	struct db *db;

	TRY(admin_check(req));
	TRY(req_query_limit(req, &limit));
	TRY(cursor_read(req, req_query(req, "cursor"), "invites", &unused, &before));
	TRY(req_db(req, &db));
	TRY(invites_list(db, &req->arena, before, limit, &invites, &n, &more));

	json_t *items = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(items, invite_to_json(&invites[i], clock_wall_ms()));
	return req_reply(req, 200,
			 json_pack("{s:o, s:o}", "items", items, "next_cursor",
				   more ? cursor_to_json(req, "invites", 0, invites[n - 1].id) : json_null()));
}
