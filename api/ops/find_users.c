/* GET /api/v1/users?query=: people whose username or display name begins with a text, compared after case folding. */
#include "base/text.h"
#include "cursor.h"
#include "ops.gen.h"
#include "req.h"
#include "store/users.h"

enum { QUERY_CODE_POINTS_MAX = 64 };

static enum status
read_prefix(struct req *req, const char **ret_prefix)
{
	const char *query = req_query(req, "query");

	if (!query)
		return fault_set(&req->fault, ERR_MALFORMED, "parameter_missing", "query", "query is required.");
	if (!query[0] || text_code_points(query) > QUERY_CODE_POINTS_MAX)
		return fault_set(&req->fault, ERR_INVALID, "out_of_range", "query", "query has 1 to %d characters.",
				 QUERY_CODE_POINTS_MAX);
	*ret_prefix = text_fold(&req->arena, query);
	return OK;
}

enum status
op_find_users(struct req *req)
{
	const char *prefix, *after = "";
	int64_t limit, unused;
	struct user *users;
	size_t n_users;
	bool more;
	struct db *db;

	TRY(read_prefix(req, &prefix));
	TRY(req_query_limit(req, &limit));
	TRY(cursor_read(req, req_query(req, "cursor"), "users", &unused, &after));
	TRY(req_db(req, &db));
	TRY(users_find(db, &req->arena, prefix, after, limit, &users, &n_users, &more));

	json_t *items = json_array();
	for (size_t i = 0; i < n_users; i++)
		json_array_append_new(items, user_to_json(&users[i]));
	return req_reply(req, 200,
			 json_pack("{s:o, s:o}", "items", items, "next_cursor",
				   more ? cursor_to_json(req, "users", 0, users[n_users - 1].username_key)
					: json_null()));
}
