/* GET /api/v1/admin/audit: what administrators and operators did, the newest first. */
#include "admin.h"
#include "cursor.h"
#include "ops.gen.h"
#include "req.h"
#include "store/audit.h"

static const char *
or_all(const char *text)
{
	return text ? text : "";
}

enum status
op_list_audit(struct req *req)
{
	struct audit_filter filter = {
		or_all(req_query(req, "actor")),
		or_all(req_query(req, "action")),
		or_all(req_query(req, "target")),
	};
	const char *before = NULL;
	int64_t limit, unused;
	struct audit_entry *entries;
	size_t n;
	bool more;
	struct db *db;

	TRY(admin_check(req));
	TRY(req_query_limit(req, &limit));
	TRY(cursor_read(req, req_query(req, "cursor"), "audit", &unused, &before));
	TRY(req_db(req, &db));
	TRY(audit_list(db, &req->arena, &filter, before, limit, &entries, &n, &more));

	json_t *items = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(items, audit_entry_to_json(&entries[i]));
	return req_reply(req, 200,
			 json_pack("{s:o, s:o}", "items", items, "next_cursor",
				   more ? cursor_to_json(req, "audit", 0, entries[n - 1].id) : json_null()));
}
