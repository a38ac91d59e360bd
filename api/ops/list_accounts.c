/* GET /api/v1/admin/users: all accounts, also those that are disabled or deleted. */
#include <string.h>

#include "admin.h"
#include "base/text.h"
#include "cursor.h"
#include "ops.gen.h"
#include "req.h"
#include "store/accounts.h"

enum { QUERY_CODE_POINTS_MAX = 64 };

static enum status
read_filter(struct req *req, struct accounts_filter *ret_filter)
{
	const char *query = req_query(req, "query"), *state = req_query(req, "state");

	if (query && text_code_points(query) > QUERY_CODE_POINTS_MAX)
		return fault_set(&req->fault, ERR_INVALID, "out_of_range", "query", "query has at most %d characters.",
				 QUERY_CODE_POINTS_MAX);
	*ret_filter = (struct accounts_filter){query ? text_fold(&req->arena, query) : "", state ? state : "all"};
	if (accounts_state_is_known(ret_filter->state))
		return OK;
	return fault_set(&req->fault, ERR_INVALID, "out_of_range", "state",
			 "state is all, active, disabled or deleted.");
}

enum status
op_list_accounts(struct req *req)
{
	struct accounts_filter filter;
	const char *after = "";
	int64_t limit, unused;
	struct user *users;
	size_t n;
	bool more;
	struct db *db;

	TRY(admin_check(req));
	TRY(read_filter(req, &filter));
	TRY(req_query_limit(req, &limit));
	TRY(cursor_read(req, req_query(req, "cursor"), "accounts", &unused, &after));
	TRY(req_db(req, &db));
	TRY(accounts_list(db, &req->arena, &filter, after, limit, &users, &n, &more));

	json_t *items = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(items, account_to_json(&users[i]));
	return req_reply(req, 200,
			 json_pack("{s:o, s:o}", "items", items, "next_cursor",
				   more ? cursor_to_json(req, "accounts", 0, users[n - 1].username_key) : json_null()));
}
