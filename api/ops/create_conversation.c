/* POST /api/v1/conversations: gets or makes the direct conversation with a person, or makes a group. */
#include <string.h>

#include "group.h"
#include "json.h"
#include "ops.gen.h"
#include "req.h"

struct wish {
	const char *kind, *user_id, *title, *id;
	json_t *member_ids;
};

static enum status
check_kind(struct req *req, const char *kind)
{
	if (!kind || strcmp(kind, "direct") == 0 || strcmp(kind, "group") == 0)
		return OK;
	return fault_set(&req->fault, ERR_INVALID, "kind_unsupported", "kind", "kind must be \"direct\" or \"group\".");
}

/* Each kind has keys of its own. Without one it is read as a direct one, which says what is missing. */
static enum status
read_wish(struct req *req, struct wish *ret_wish)
{
	const json_t *kind = json_object_get(req->body, "kind");
	bool group = json_is_string(kind) && strcmp(json_string_value(kind), "group") == 0;
	struct wish wish = {0};
	const struct json_field direct_fields[] = {
		{"kind", JSON_KIND_TEXT, true, &wish.kind},
		{"user_id", JSON_KIND_TEXT, true, &wish.user_id},
	};
	const struct json_field group_fields[] = {
		{"kind", JSON_KIND_TEXT, true, &wish.kind},
		{"title", JSON_KIND_TEXT, true, &wish.title},
		{"member_ids", JSON_KIND_ARRAY, false, &wish.member_ids},
		{"id", JSON_KIND_TEXT, false, &wish.id},
	};

	if (group)
		TRY(json_decode(req->body, group_fields, sizeof group_fields / sizeof group_fields[0], &req->arena,
				&req->fault));
	else
		TRY(json_decode(req->body, direct_fields, sizeof direct_fields / sizeof direct_fields[0], &req->arena,
				&req->fault));
	TRY(check_kind(req, wish.kind));
	*ret_wish = wish;
	return OK;
}

static enum status
reply(struct req *req, const char *conversation_id, bool created)
{
	if (created)
		req_add_header(req, "Location", arena_printf(&req->arena, "/api/v1/conversations/%s", conversation_id));
	return group_reply(req, created ? 201 : 200, conversation_id);
}

static enum status
make_direct(struct req *req, const struct wish *wish)
{
	char conversation_id[ID_SIZE];
	struct write_direct write = {.op = {.kind = WRITE_ENSURE_DIRECT, .conversation_id = conversation_id}};

	if (!id_normalize(wish->user_id, write.other_id))
		return fault_set(&req->fault, ERR_INVALID, "id_invalid", "user_id",
				 "user_id must be a UUID: the id of a person as GET /api/v1/users shows it.");
	memcpy(write.user_id, req->caller.user_id, ID_SIZE);
	memcpy(write.session_id, req->caller.session_id, ID_SIZE);
	id_direct_conversation(write.user_id, write.other_id, conversation_id);

	enum status status = writer_run(req->app->writer, &write.op);
	req->fault = write.op.fault;
	arena_finish(&write.op.arena);
	return status == OK ? reply(req, conversation_id, write.created) : status;
}

/* Whose id is of version 5 would stand in the place of two people's direct conversation. */
static enum status
choose_id(struct req *req, const char *wanted, char ret_id[ID_SIZE])
{
	if (!wanted)
		id_make(ret_id);
	else if (!id_normalize(wanted, ret_id) || ret_id[14] == '5')
		return fault_set(&req->fault, ERR_INVALID, "id_invalid", "id",
				 "id must be a UUID that is not of version 5: make a random one.");
	return OK;
}

static enum status
make_group(struct req *req, const struct wish *wish)
{
	char conversation_id[ID_SIZE];
	struct write_group write = {
		.op = {.kind = WRITE_GROUP, .conversation_id = conversation_id},
		.action = GROUP_CREATE,
		.title = wish->title,
	};

	TRY(choose_id(req, wish->id, conversation_id));
	TRY(conversation_title_check(wish->title, &req->fault));
	TRY(group_people(req, wish->member_ids, "member_ids", &write));
	memcpy(write.actor_id, req->caller.user_id, ID_SIZE);
	memcpy(write.session_id, req->caller.session_id, ID_SIZE);
	for (size_t i = 0; i < write.n_user_ids; i++)
		if (strcmp(write.user_ids[i], write.actor_id) == 0)
			return fault_set(&req->fault, ERR_INVALID, "id_repeated", "member_ids",
					 "Who makes a group is in it: leave yourself out.");

	enum status status = group_run_write(req, &write);
	if (status == OK)
		status = reply(req, conversation_id, !write.unchanged);
	arena_finish(&write.op.arena);
	return status;
}

enum status
op_create_conversation(struct req *req)
{
	struct wish wish;

	TRY(read_wish(req, &wish));
	return strcmp(wish.kind, "direct") == 0 ? make_direct(req, &wish) : make_group(req, &wish);
}
