/* The one door for changes of messages: what holds for every mode (checks, the address, waiting) is here, how a message is
 * stored is the mode's. */
#include "pipeline/submit.h"

#include <stdlib.h>
#include <string.h>

#include "base/waiter.h"
#include "pipeline/mode.h"

struct pipeline {
	const struct pipeline_mode *mode;
	struct writer *writer;
};

enum status
pipeline_create(const char *mode, struct writer *writer, struct pipeline **ret_pipeline, struct fault *ret_fault)
{
	static const struct pipeline_mode *const modes[] = {&submit_direct_mode};

	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		if (strcmp(modes[i]->name, mode) != 0)
			continue;
		*ret_pipeline = calloc(1, sizeof **ret_pipeline);
		if (!*ret_pipeline)
			abort();
		(*ret_pipeline)->mode = modes[i];
		(*ret_pipeline)->writer = writer;
		return OK;
	}
	return fault_set(ret_fault, ERR_INVALID, "pipeline_unknown", "pipeline",
			 "pipeline = %s is not a mode that this build has.", mode);
}

void
pipeline_destroy(struct pipeline *pipeline)
{
	free(pipeline);
}

/* The draft goes on with its conversation; the caller's stays as it was addressed, so that it can be submitted again. */
static enum status
address(const struct message_draft *draft, struct message_draft *ret_addressed, struct fault *ret_fault)
{
	if (!draft->conversation_id[0] == !draft->recipient_id[0])
		return fault_set(ret_fault, ERR_MALFORMED, "address_invalid", "recipient_id",
				 "Exactly one of conversation_id and recipient_id says where a message goes.");
	*ret_addressed = *draft;
	if (draft->recipient_id[0])
		id_direct_conversation(draft->sender_id, draft->recipient_id, ret_addressed->conversation_id);
	return OK;
}

enum status
pipeline_submit(struct pipeline *pipeline, struct submission *submission)
{
	struct message_draft addressed;

	submission->fault = (struct fault){0};
	submission->status = message_draft_check(&submission->draft, &submission->fault);
	if (submission->status == OK)
		submission->status = address(&submission->draft, &addressed, &submission->fault);
	if (submission->status != OK)
		return submission->status;

	/* From here on the submission belongs to the mode: `done` may have run, and freed it, when this returns OK. */
	return pipeline->mode->submit(pipeline->writer, submission, &addressed);
}

static void
on_done(struct submission *submission)
{
	waiter_wake(submission->context);
}

enum status
pipeline_submit_wait(struct pipeline *pipeline, struct submission *submission)
{
	struct waiter waiter;

	waiter_init(&waiter);
	submission->done = on_done;
	submission->context = &waiter;

	enum status status = pipeline_submit(pipeline, submission);
	if (status != OK) {
		waiter_finish(&waiter);
		return status;
	}
	waiter_wait(&waiter);
	return submission->status;
}

void
submission_finish(struct submission *submission)
{
	arena_finish(&submission->write.op.arena);
}

enum status
pipeline_change(struct pipeline *pipeline, struct change_submission *submission)
{
	submission->fault = (struct fault){0};
	submission->status = message_change_check(&submission->change, &submission->arena, &submission->fault);
	if (submission->status != OK)
		return submission->status;
	return pipeline->mode->change(pipeline->writer, submission);
}

static void
on_changed(struct change_submission *submission)
{
	waiter_wake(submission->context);
}

enum status
pipeline_change_wait(struct pipeline *pipeline, struct change_submission *submission)
{
	struct waiter waiter;

	waiter_init(&waiter);
	submission->done = on_changed;
	submission->context = &waiter;

	enum status status = pipeline_change(pipeline, submission);
	if (status != OK) {
		waiter_finish(&waiter);
		return status;
	}
	waiter_wait(&waiter);
	return submission->status;
}

void
change_submission_finish(struct change_submission *submission)
{
	arena_finish(&submission->arena);
	arena_finish(&submission->write.op.arena);
}
