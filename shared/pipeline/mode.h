/* A way to make a message durable: one file fills this table, and submit.c lists it. Internal to shared/pipeline. */
#ifndef PIPELINE_MODE_H
#define PIPELINE_MODE_H

#include "pipeline/submit.h"

struct pipeline_mode {
	const char *name; /* as in the setting `pipeline` */

	/* Passes on a checked submission; `draft` is its draft with the conversation filled in, and is copied. Not OK: status
	 * and fault are set in the submission, and `done` is not called. */
	enum status (*submit)(struct writer *writer, struct submission *submission, const struct message_draft *draft);

	/* The same for a checked change of a message. */
	enum status (*change)(struct writer *writer, struct change_submission *submission);
};

extern const struct pipeline_mode submit_direct_mode;

#endif
