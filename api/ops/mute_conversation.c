/* PUT /api/v1/conversations/{conversation_id}/mute: not to be called to it, until a time or for ever. */
#include "base/clock.h"
#include "json.h"
#include "mute.h"
#include "ops.gen.h"
#include "req.h"

static const int64_t FOR_EVER_MS = 253402300799999; /* 9999-12-31T23:59:59.999Z: the last that RFC 3339 can say */

enum status
op_mute_conversation(struct req *req)
{
	const char *until = NULL;
	const struct json_field fields[] = {{"until", JSON_KIND_TEXT, false, &until}};
	int64_t until_ms = FOR_EVER_MS;

	TRY(json_decode(req->body, fields, 1, &req->arena, &req->fault));
	if (until && (!clock_parse(until, &until_ms) || until_ms <= clock_wall_ms()))
		return fault_set(&req->fault, ERR_INVALID, "time_invalid", "until",
				 "until is a time to come, like 2026-01-31T23:59:59.123Z, or left out: for ever.");
	return mute_until(req, until_ms);
}
