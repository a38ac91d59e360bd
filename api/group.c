/* What the operations on groups have in common: see group.h. */
#include "group.h"

#include <string.h>

#include "req.h"
#include "store/conversations.h"

enum status
group_begin(struct req *req, enum group_action action, struct write_group *ret_write)
{
	char *conversation_id = arena_alloc(&req->arena, ID_SIZE);

	TRY(req_conversation_id(req, conversation_id));
	*ret_write =
		(struct write_group){.op = {.kind = WRITE_GROUP, .conversation_id = conversation_id}, .action = action};
	memcpy(ret_write->actor_id, req->caller.user_id, ID_SIZE);
	memcpy(ret_write->session_id, req->caller.session_id, ID_SIZE);
	return OK;
}

enum status
group_person(struct req *req, struct write_group *write)
{
	const char *text = req_path(req, "user_id");
	char(*user_id)[ID_SIZE] = arena_alloc(&req->arena, ID_SIZE);

	if (strcmp(text, "me") == 0)
		text = req->caller.user_id;
	if (strlen(text) != ID_LEN || !id_normalize(text, *user_id))
		memcpy(*user_id, "00000000-0000-0000-0000-000000000000",
		       ID_SIZE); /* nobody's: the conversation is asked first */
	write->user_ids = (const char(*)[ID_SIZE])user_id;
	write->n_user_ids = 1;
	return OK;
}

static bool
is_among(char (*ids)[ID_SIZE], size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(ids[i], id) == 0)
			return true;
	return false;
}

enum status
group_people(struct req *req, const json_t *array, const char *field, struct write_group *write)
{
	size_t n = json_array_size(array);
	char(*ids)[ID_SIZE];

	if (n > CONVERSATION_ADDED_MAX)
		return fault_set(&req->fault, ERR_INVALID, "too_many", field,
				 "At most 100 people a request: ask again for more.");
	ids = arena_alloc(&req->arena, (n + 1) * sizeof *ids);
	for (size_t i = 0; i < n; i++) {
		const json_t *value = json_array_get(array, i);

		if (!json_is_string(value))
			return fault_set(&req->fault, ERR_MALFORMED, "wrong_type", field,
					 "%s must be an array of strings.", field);
		if (json_string_length(value) != ID_LEN || !id_normalize(json_string_value(value), ids[i]))
			return fault_set(&req->fault, ERR_INVALID, "id_invalid", field,
					 "%s must be UUIDs: the ids of people as GET /api/v1/users shows them.", field);
		if (is_among(ids, i, ids[i]))
			return fault_set(&req->fault, ERR_INVALID, "id_repeated", field, "Somebody stands in %s twice.",
					 field);
	}
	write->user_ids = (const char(*)[ID_SIZE])ids;
	write->n_user_ids = n;
	return OK;
}

enum status
group_run_write(struct req *req, struct write_group *write)
{
	enum status status = writer_run(req->app->writer, &write->op);

	req->fault = write->op.fault;
	return status;
}

enum status
group_reply(struct req *req, int http_status, const char *conversation_id)
{
	struct conversation conversation;
	struct db *db;

	TRY(req_db(req, &db));
	TRY(conversations_get(db, &req->arena, conversation_id, req->caller.user_id, &conversation, &req->fault));
	return req_reply(req, http_status, conversation_to_json(&conversation));
}

enum status
group_reply_members(struct req *req, const struct write_group *write)
{
	json_t *items = json_array();

	for (size_t i = 0; i < write->n_members; i++)
		json_array_append_new(items, member_to_json(&write->members[i]));
	return req_reply(req, 200, json_pack("{s:o}", "items", items));
}
