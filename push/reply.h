/* The replies to client frames, and the one mapping from a status to what a client is told. */
#ifndef PUSH_REPLY_H
#define PUSH_REPLY_H

#include <jansson.h>
#include <stdint.h>

#include "base/status.h"

/* {"reply_to": id, "ok": true}; `id` (borrowed) may be NULL: null. The caller adds the rest. */
json_t *reply_ok(json_t *id);

/* {"reply_to": id, "ok": false, "error": {code, detail, retryable, field?, retry_after_ms?}}. A wrong shape or value is
 * `bad_request`, whatever the fault's own code; what went wrong inside is not shown. `retry_after_ms` 0: none said. */
json_t *reply_error(json_t *id, const struct fault *fault, int64_t retry_after_ms);

/* The same for a refusal of the transport's own. */
json_t *reply_refusal(json_t *id, enum status status, const char *code, const char *detail);

#endif
