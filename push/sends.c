/* A list of submissions in the order of their frames. The pipeline answers on a thread of its own and in an order of
 * its own; loop_post brings the answer here, where it waits until those before it have left. */
#include "sends.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

#include "log.h"
#include "pipeline/submit.h"
#include "reply.h"

struct send {
	struct loop_item item; /* posted by the pipeline's thread; first member */
	struct submission submission;
	struct loop *loop;
	struct sends *sends; /* NULL: the socket has gone */
	struct send *prev, *next;
	struct arena arena; /* of the draft */
	json_t *id;
	enum status status;
	bool finished;
};

static void
destroy(struct send *send)
{
	submission_finish(&send->submission);
	arena_finish(&send->arena);
	json_decref(send->id);
	free(send);
}

static json_t *
make_reply(const struct send *send)
{
	const struct submission *submission = &send->submission;
	json_t *reply;

	if (send->status != OK) {
		struct fault fault = submission->fault;

		fault.status = send->status;
		if (send->status == ERR_INTERNAL)
			log_error("send_failed", LOG_S("code", fault.code), LOG_S("detail", fault.detail));
		return reply_error(send->id, &fault, 0);
	}
	reply = reply_ok(send->id);
	json_object_set_new(reply, "rev", json_integer(submission->stored.rev));
	json_object_set_new(reply, "message", message_to_json(&submission->stored));
	if (submission->result == SUBMIT_REPLAYED)
		json_object_set_new(reply, "replayed", json_true());
	return reply;
}

/* Answers all at the front of the line that are finished. */
static void
answer_finished(struct sends *sends)
{
	while (sends->waiting != NULL && sends->waiting->finished) {
		struct send *send = sends->waiting;
		json_t *reply = make_reply(send);

		DL_DELETE(sends->waiting, send);
		sends->n_waiting--;
		destroy(send);
		sends->reply(sends->context, reply);
	}
}

static void
on_posted(struct loop_item *item)
{
	struct send *send = (struct send *)item;

	if (send->sends == NULL) {
		destroy(send);
		return;
	}
	send->finished = true;
	answer_finished(send->sends);
}

/* On a thread of the pipeline. */
static void
on_done(struct submission *submission)
{
	struct send *send = submission->context;

	send->status = submission->status;
	loop_post(send->loop, &send->item);
}

void
sends_finish(struct sends *sends)
{
	struct send *send, *next;

	DL_FOREACH_SAFE (sends->waiting, send, next) {
		DL_DELETE(sends->waiting, send);
		if (send->finished)
			destroy(send);
		else
			send->sends = NULL;
	}
	sends->n_waiting = 0;
}

void
sends_submit(struct sends *sends, struct loop *loop, struct pipeline *pipeline, const struct message_draft *draft,
	     json_t *id)
{
	struct send *send = calloc(1, sizeof *send);
	enum status status;

	if (send == NULL)
		abort();
	send->item.run = on_posted;
	send->loop = loop;
	send->sends = sends;
	send->id = json_incref(id);
	send->submission.draft = *draft;
	send->submission.draft.content = arena_strdup(&send->arena, draft->content);
	send->submission.done = on_done;
	send->submission.context = send;
	DL_APPEND(sends->waiting, send);
	sends->n_waiting++;

	status = pipeline_submit(pipeline, &send->submission);
	if (status == OK)
		return; /* from here on it is the other thread's, until it is posted */
	send->status = status;
	send->finished = true;
	answer_finished(sends);
}
