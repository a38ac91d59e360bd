/* The REST door for changes of messages to the pipeline. */
#include "change.h"

#include <stdio.h>
#include <string.h>

#include "etag.h"
#include "pipeline/submit.h"
#include "req.h"

const char *
change_page(struct req *req, const char *message_id)
{
	return arena_printf(&req->arena, "message %s", message_id);
}

enum status
change_reply(struct req *req, const struct message *message)
{
	const char *etag;

	TRY(etag_make(req, message->conversation_id, change_page(req, message->id), message->rev, &etag));
	req_add_header(req, "ETag", etag);
	return req_reply(req, 200, message_to_json(message));
}

/* What cannot be an id names nothing: the pipeline says so. */
static void
take_id(struct req *req, const char *name, char ret_id[ID_SIZE])
{
	snprintf(ret_id, ID_SIZE, "%s", req_path(req, name));
	if (strlen(req_path(req, name)) != ID_LEN || !id_normalize(ret_id, ret_id))
		ret_id[0] = '\0';
}

/* Whether If-Match counts: a reaction says nothing about what the message was. */
static bool
is_conditional(enum message_action action)
{
	return action == MESSAGE_EDIT || action == MESSAGE_DELETE;
}

enum status
change_message(struct req *req, struct message_change *change)
{
	struct change_submission submission = {0};
	struct db *db;

	memcpy(change->actor_id, req->caller.user_id, ID_SIZE);
	memcpy(change->session_id, req->caller.session_id, ID_SIZE);
	take_id(req, "conversation_id", change->conversation_id);
	take_id(req, "message_id", change->message_id);
	TRY(req_db(req, &db)); /* an ETag is of an epoch */
	if (is_conditional(change->action))
		TRY(etag_wanted_rev(req, change->conversation_id, change_page(req, change->message_id),
				    &change->if_match_rev));

	submission.change = *change;
	enum status status = pipeline_change_wait(req->app->pipeline, &submission);
	req->fault = submission.fault;
	if (status == OK)
		status = change_reply(req, &submission.stored);
	change_submission_finish(&submission);
	return status;
}
