/* GET /api/v1/conversations/{conversation_id}/messages/{message_id}/readers: who has read it, by username. */
#include "cursor.h"
#include "ops.gen.h"
#include "req.h"
#include "store/readers.h"

enum status
op_list_readers(struct req *req)
{
	char conversation_id[ID_SIZE], message_id[ID_SIZE];
	struct readers_query query = {
		.conversation_id = conversation_id,
		.message_id = message_id,
		.user_id = req->caller.user_id,
		.after_username = "",
	};
	struct readers readers;
	int64_t unused = 0;
	struct db *db;

	TRY(req_conversation_id(req, conversation_id));
	if (!id_normalize(req_path(req, "message_id"), message_id))
		return req_fail(req, ERR_NOT_FOUND, "message_not_found", "There is no such message.");
	TRY(req_query_limit(req, &query.limit));
	TRY(cursor_read(req, req_query(req, "cursor"), "readers", &unused, &query.after_username));
	TRY(req_db(req, &db));
	TRY(readers_of_message(db, &req->arena, &query, &readers, &req->fault));

	json_t *json = readers_to_json(&readers);
	json_object_set_new(json, "next_cursor",
			    readers.has_more
				    ? cursor_to_json(req, "readers", 0, readers.items[readers.n_items - 1].username)
				    : json_null());
	return req_reply(req, 200, json);
}
