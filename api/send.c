/* The REST door to the pipeline, which decides what "stored" means and announces it. */
#include "send.h"

#include <string.h>

#include "pipeline/submit.h"
#include "req.h"

static int
http_status(enum submit_result result)
{
	switch (result) {
	case SUBMIT_STORED:
		return 201;
	case SUBMIT_REPLAYED:
		return 200;
	case SUBMIT_ACCEPTED:
		return 202;
	}
	return 500;
}

enum status
send_draft(struct req *req, enum message_draft_form form, struct message_draft *draft)
{
	struct submission submission = {0};

	memcpy(draft->sender_id, req->caller.user_id, ID_SIZE);
	memcpy(draft->session_id, req->caller.session_id, ID_SIZE);
	TRY(message_draft_from_json(req->body, form, &req->arena, draft, &req->fault));
	TRY(req_idempotency_key(req, draft));

	submission.draft = *draft;
	enum status status = pipeline_submit_wait(req->app->pipeline, &submission);
	req->fault = submission.fault;
	if (status == OK) {
		if (submission.result == SUBMIT_REPLAYED)
			req_add_header(req, "Idempotent-Replayed", "true");
		status = req_reply(req, http_status(submission.result), message_to_json(&submission.stored));
	}
	submission_finish(&submission);
	return status;
}
