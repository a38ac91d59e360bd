/* GET /api/v1/admin/audit: what administrators and operators did, the newest first. */
#include "admin.h"
#include "base/text.h"
#include "cursor.h"
#include "ops.gen.h"
#include "req.h"
#include "store/audit.h"

enum { FILTER_CODE_POINTS_MAX = 64 };

/* "" passes all. */
static enum status
read_filter(struct req *req, const char *name, const char **ret_text)
{
	const char *text = req_query(req, name);

	if (text && text_code_points(text) > FILTER_CODE_POINTS_MAX)
		return fault_set(&req->fault, ERR_INVALID, "out_of_range", name, "%s has at most %d characters.", name,
				 FILTER_CODE_POINTS_MAX);
	*ret_text = text ? text : "";
	return OK;
}

enum status
op_list_audit(struct req *req)
{
	struct audit_filter filter;
	const char *before = NULL;
	int64_t limit, unused;
	struct audit_entry *entries;
	size_t n;
	bool more;
	struct db *db;

	TRY(admin_check(req));
	TRY(read_filter(req, "actor", &filter.actor));
	TRY(read_filter(req, "action", &filter.action));
	TRY(read_filter(req, "target", &filter.target));
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
