/* Cursors: where the next page of a list begins, opaque to clients (base64url, RFC 4648 5). */
#ifndef CURSOR_H
#define CURSOR_H

#include <jansson.h>
#include <stdint.h>

#include "base/status.h"

struct req;

/* A cursor of the list `kind` (a word) at the position (number, text), as JSON. */
json_t *cursor_to_json(struct req *req, const char *kind, int64_t number, const char *text);

/* Reads one of the same kind; `cursor` NULL leaves the outputs alone. ERR_MALFORMED, code `cursor_invalid`. The text lives
 * in the request's arena. */
MUST_USE enum status cursor_read(struct req *req, const char *cursor, const char *kind, int64_t *number,
				 const char **text);

#endif
