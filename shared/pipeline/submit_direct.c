/* The direct mode: the writer of this process commits the message and announces it; then it is acknowledged. */
#include "pipeline/mode.h"

static void
on_written(struct write_op *op)
{
	struct submission *submission = op->context;

	submission->status = op->status;
	submission->fault = op->fault;
	submission->stored = submission->write.stored;
	submission->result = submission->write.replayed ? SUBMIT_REPLAYED : SUBMIT_STORED;
	submission->done(submission);
}

static enum status
submit(struct writer *writer, struct submission *submission, const struct message_draft *draft)
{
	struct write_send_message *write = &submission->write;

	arena_finish(&write->op.arena); /* of an earlier attempt */
	*write = (struct write_send_message){
		.op = {.kind = WRITE_SEND_MESSAGE, .done = on_written, .context = submission},
		.draft = *draft,
	};
	write->op.conversation_id = write->draft.conversation_id;

	enum status status = writer_submit(writer, &write->op);
	if (status != OK) {
		submission->status = write->op.status;
		submission->fault = write->op.fault;
	}
	return status;
}

static void
on_changed(struct write_op *op)
{
	struct change_submission *submission = op->context;

	submission->status = op->status;
	submission->fault = op->fault;
	submission->stored = submission->write.stored;
	submission->unchanged = submission->write.unchanged;
	submission->done(submission);
}

static enum status
change(struct writer *writer, struct change_submission *submission)
{
	struct write_change_message *write = &submission->write;

	arena_finish(&write->op.arena); /* of an earlier attempt */
	*write = (struct write_change_message){
		.op = {.kind = WRITE_CHANGE_MESSAGE, .done = on_changed, .context = submission},
		.change = submission->change,
	};
	write->op.conversation_id = write->change.conversation_id;

	enum status status = writer_submit(writer, &write->op);
	if (status != OK) {
		submission->status = write->op.status;
		submission->fault = write->op.fault;
	}
	return status;
}

const struct pipeline_mode submit_direct_mode = {.name = "direct", .submit = submit, .change = change};
