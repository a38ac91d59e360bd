/* POST /api/v1/conversations: gets or makes the direct conversation with a person. */
#include <string.h>

#include "json.h"
#include "ops.gen.h"
#include "req.h"
#include "store/conversations.h"

static enum status
read_wish(struct req *req, char ret_user_id[ID_SIZE])
{
	const char *kind, *user_id;
	const struct json_field fields[] = {
		{"kind", JSON_KIND_TEXT, true, &kind},
		{"user_id", JSON_KIND_TEXT, true, &user_id},
	};

	TRY(json_decode(req->body, fields, sizeof fields / sizeof fields[0], &req->arena, &req->fault));
	if (strcmp(kind, "direct") != 0)
		return fault_set(&req->fault, ERR_INVALID, "kind_unsupported", "kind",
				 "kind must be \"direct\": this version makes no groups.");
	if (!id_normalize(user_id, ret_user_id))
		return fault_set(&req->fault, ERR_INVALID, "id_invalid", "user_id",
				 "user_id must be a UUID: the id of a person as GET /api/v1/users shows it.");
	return OK;
}

static enum status
reply(struct req *req, const char *conversation_id, bool created)
{
	struct conversation conversation;
	struct db *db;

	TRY(req_db(req, &db));
	TRY(conversations_get(db, &req->arena, conversation_id, req->caller.user_id, &conversation, &req->fault));
	if (created)
		req_add_header(req, "Location", arena_printf(&req->arena, "/api/v1/conversations/%s", conversation_id));
	return req_reply(req, created ? 201 : 200, conversation_to_json(&conversation));
}

enum status
op_create_conversation(struct req *req)
{
	char conversation_id[ID_SIZE];
	struct write_direct write = {.op = {.kind = WRITE_ENSURE_DIRECT, .conversation_id = conversation_id}};

	TRY(read_wish(req, write.other_id));
	memcpy(write.user_id, req->caller.user_id, ID_SIZE);
	memcpy(write.session_id, req->caller.session_id, ID_SIZE);
	id_direct_conversation(write.user_id, write.other_id, conversation_id);

	enum status status = writer_run(req->app->writer, &write.op);
	req->fault = write.op.fault;
	arena_finish(&write.op.arena);
	return status == OK ? reply(req, conversation_id, write.created) : status;
}
