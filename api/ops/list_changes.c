/* GET /api/v1/conversations/{conversation_id}/changes?after_rev=: the current state of all that changed since a revision. */
#include "ops.gen.h"
#include "req.h"
#include "store/changes.h"

enum status
op_list_changes(struct req *req)
{
	char conversation_id[ID_SIZE];
	int64_t after_rev = -1, limit;
	struct changes changes;
	struct db *db;

	TRY(req_conversation_id(req, conversation_id));
	TRY(req_query_number(req, "after_rev", &after_rev));
	if (after_rev < 0)
		return fault_set(&req->fault, ERR_MALFORMED, "parameter_missing", "after_rev",
				 "after_rev is required.");
	TRY(req_query_limit(req, &limit));
	TRY(req_db(req, &db));
	TRY(changes_of_conversation(db, &req->arena, conversation_id, req->caller.user_id, after_rev, limit, &changes,
				    &req->fault));
	return req_reply(req, 200, changes_to_json(&changes));
}
