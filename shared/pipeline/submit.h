/* The one door for changes of messages, used by REST and WebSocket alike: validate, store (or produce), acknowledge. */
#ifndef PIPELINE_SUBMIT_H
#define PIPELINE_SUBMIT_H

#include "base/arena.h"
#include "base/status.h"
#include "model/message.h"
#include "writer/writer.h"

struct pipeline;

enum submit_result {
	SUBMIT_STORED,   /* a committed row, new: 201 */
	SUBMIT_REPLAYED, /* the row that this id has already: 200 */
	SUBMIT_ACCEPTED, /* in the log, not yet a row: 202 */
};

/* One send on its way. Zero it, fill draft, done and context. */
struct submission {
	struct message_draft draft;
	void (*done)(struct submission *submission); /* on a thread of the pipeline; must not block */
	void *context;

	/* result */
	enum status status;
	struct fault fault;
	enum submit_result result;
	struct message stored;

	struct write_send_message write; /* the pipeline's own */
};

/* One change of a message on its way. Zero it, fill change, done and context. */
struct change_submission {
	struct message_change change;
	void (*done)(struct change_submission *submission); /* on a thread of the pipeline; must not block */
	void *context;

	/* result */
	enum status status;
	struct fault fault;
	bool unchanged;        /* nothing had to be done */
	struct message stored; /* the message as it is now */

	/* the pipeline's own */
	struct arena arena; /* of what the checks made of the change */
	struct write_change_message write;
};

/* `writer` is borrowed. `mode` is config.pipeline ("direct"). ERR_INVALID for a mode that this build does not have. */
MUST_USE enum status pipeline_create(const char *mode, struct writer *writer, struct pipeline **ret_pipeline,
				     struct fault *ret_fault);
void pipeline_destroy(struct pipeline *pipeline);

/* Checks the draft (message_draft_check), resolves recipient_id to the direct conversation, and passes it on. A refusal that
 * is known at once is returned and `done` is not called; else OK, and `done` brings the result. Never blocks. The submission
 * and all that its draft points to stay with the caller until then. */
MUST_USE enum status pipeline_submit(struct pipeline *pipeline, struct submission *submission);

/* Submits and waits: for a thread that serves one request. Result in the submission; returns its status. */
MUST_USE enum status pipeline_submit_wait(struct pipeline *pipeline, struct submission *submission);

/* Frees what the result lives in (stored.content, ...). */
void submission_finish(struct submission *submission);

/* The same three for a change of a message: checked by message_change_check, and a change submitted again after a lost answer is
 * `unchanged`. The conversation is named by its id. */
MUST_USE enum status pipeline_change(struct pipeline *pipeline, struct change_submission *submission);
MUST_USE enum status pipeline_change_wait(struct pipeline *pipeline, struct change_submission *submission);
void change_submission_finish(struct change_submission *submission);

#endif
