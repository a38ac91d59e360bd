/* GET /api/v1/auth/sessions: where the caller is logged in. */
#include <string.h>

#include "base/clock.h"
#include "cursor.h"
#include "ops.gen.h"
#include "req.h"
#include "store/sessions.h"

enum status
op_list_sessions(struct req *req)
{
	const char *before_id = "";
	int64_t limit, before_ms = INT64_MAX;
	struct login_session *sessions;
	size_t n;
	bool more;
	struct db *db;

	TRY(req_query_limit(req, &limit));
	TRY(cursor_read(req, req_query(req, "cursor"), "sessions", &before_ms, &before_id));
	TRY(req_db(req, &db));
	TRY(sessions_list(db, &req->arena, req->caller.user_id, clock_wall_ms(), before_ms, before_id, limit, &sessions,
			  &n, &more));

	json_t *items = json_array();
	for (size_t i = 0; i < n; i++) {
		bool current = strcmp(sessions[i].id, req->caller.session_id) == 0;

		json_array_append_new(items, session_to_json(&sessions[i], current));
	}
	return req_reply(req, 200,
			 json_pack("{s:o, s:o}", "items", items, "next_cursor",
				   more ? cursor_to_json(req, "sessions", sessions[n - 1].last_used_at_ms,
							 sessions[n - 1].id)
					: json_null()));
}
