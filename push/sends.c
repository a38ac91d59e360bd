/* A list of submissions in the order of their frames. The pipeline answers on a thread of its own and in an order of
 * its own; loop_post brings the answer here, where it waits until those before it have left. */
#include "sends.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

#include "log.h"
#include "pipeline/submit.h"
#include "reply.h"

enum send_kind { SEND_MESSAGE, SEND_CHANGE, SEND_REFUSED };

struct send {
	struct loop_item item; /* posted by the pipeline's thread; first member */
	enum send_kind kind;
	union {
		struct submission submission;
		struct change_submission change;
		struct fault refusal;
	};
	struct loop *loop;   /* NULL of what is not on its way anywhere */
	struct sends *sends; /* NULL: the socket has gone */
	struct send *prev, *next;
	struct arena arena; /* of the draft, or of the refusal's field */
	json_t *id;
	enum status status;
	bool finished;
};

static void
destroy(struct send *send)
{
	switch (send->kind) {
	case SEND_MESSAGE:
		submission_finish(&send->submission);
		break;
	case SEND_CHANGE:
		change_submission_finish(&send->change);
		break;
	case SEND_REFUSED:
		break;
	}
	arena_finish(&send->arena);
	json_decref(send->id);
	free(send);
}

static const struct fault *
fault_of(const struct send *send)
{
	switch (send->kind) {
	case SEND_MESSAGE:
		return &send->submission.fault;
	case SEND_CHANGE:
		return &send->change.fault;
	case SEND_REFUSED:
		break;
	}
	return &send->refusal;
}

static void
add_message(json_t *reply, const struct message *message, const char *flag, bool flagged)
{
	json_object_set_new(reply, "rev", json_integer(message->rev));
	json_object_set_new(reply, "message", message_to_json(message));
	if (flagged)
		json_object_set_new(reply, flag, json_true());
}

static json_t *
make_reply(const struct send *send)
{
	json_t *reply;

	if (send->status != OK) {
		struct fault fault = *fault_of(send);

		fault.status = send->status;
		if (send->status == ERR_INTERNAL)
			log_error("send_failed", LOG_S("code", fault.code), LOG_S("detail", fault.detail));
		return reply_error(send->id, &fault, fault.retry_after_ms);
	}
	reply = reply_ok(send->id);
	switch (send->kind) {
	case SEND_MESSAGE:
		add_message(reply, &send->submission.stored, "replayed", send->submission.result == SUBMIT_REPLAYED);
		break;
	case SEND_CHANGE:
		add_message(reply, &send->change.stored, "unchanged", send->change.unchanged);
		break;
	case SEND_REFUSED:
		break;
	}
	return reply;
}

/* Answers all at the front of the line that are finished. */
static void
answer_finished(struct sends *sends)
{
	while (sends->waiting != NULL && sends->waiting->finished) {
		struct send *send = sends->waiting;
		bool ended = send->status == ERR_UNAUTHORIZED;
		json_t *reply = make_reply(send);

		DL_DELETE(sends->waiting, send);
		sends->n_waiting--;
		destroy(send);
		sends->reply(sends->context, reply);
		if (ended)
			sends->ended(sends->context);
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

/* On threads of the pipeline. */

static void
on_done(struct submission *submission)
{
	struct send *send = submission->context;

	send->status = submission->status;
	loop_post(send->loop, &send->item);
}

static void
on_changed(struct change_submission *submission)
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

static struct send *
add(struct sends *sends, struct loop *loop, enum send_kind kind, json_t *id)
{
	struct send *send = calloc(1, sizeof *send);

	if (send == NULL)
		abort();
	send->item.run = on_posted;
	send->kind = kind;
	send->loop = loop;
	send->sends = sends;
	send->id = json_incref(id);
	DL_APPEND(sends->waiting, send);
	sends->n_waiting++;
	return send;
}

/* OK: from here on it is the other thread's, until it is posted. */
static void
submitted(struct send *send, enum status status)
{
	if (status == OK)
		return;
	send->status = status;
	send->finished = true;
	answer_finished(send->sends);
}

void
sends_submit(struct sends *sends, struct loop *loop, struct pipeline *pipeline, const struct message_draft *draft,
	     json_t *id)
{
	struct send *send = add(sends, loop, SEND_MESSAGE, id);

	send->submission.draft = *draft;
	send->submission.draft.content = arena_strdup(&send->arena, draft->content);
	send->submission.done = on_done;
	send->submission.context = send;
	submitted(send, pipeline_submit(pipeline, &send->submission));
}

void
sends_change(struct sends *sends, struct loop *loop, struct pipeline *pipeline, const struct message_change *change,
	     json_t *id)
{
	struct send *send = add(sends, loop, SEND_CHANGE, id);

	send->change.change = *change;
	send->change.change.content = arena_strdup(&send->arena, change->content);
	send->change.change.emoji = arena_strdup(&send->arena, change->emoji);
	send->change.done = on_changed;
	send->change.context = send;
	submitted(send, pipeline_change(pipeline, &send->change));
}

void
sends_refuse(struct sends *sends, const struct fault *fault, json_t *id)
{
	struct send *send = add(sends, NULL, SEND_REFUSED, id);

	send->refusal = *fault;
	send->refusal.field = arena_strdup(&send->arena, fault->field);
	submitted(send, fault->status);
}
