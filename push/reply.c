/* Makes reply objects. */
#include "reply.h"

#include <stdbool.h>

static json_t *
reply(json_t *id, bool ok)
{
	json_t *json = json_object();

	json_object_set(json, "reply_to", id == NULL ? json_null() : id);
	json_object_set_new(json, "ok", json_boolean(ok));
	return json;
}

json_t *
reply_ok(json_t *id)
{
	return reply(id, true);
}

static const char *
code_of(const struct fault *fault)
{
	if (fault->status == ERR_MALFORMED || fault->status == ERR_INVALID)
		return "bad_request";
	if (fault->status == ERR_INTERNAL)
		return "internal";
	return fault->code != NULL ? fault->code : status_name(fault->status);
}

static const char *
detail_of(const struct fault *fault)
{
	if (fault->status == ERR_INTERNAL)
		return "Something went wrong inside the server.";
	if (fault->status == ERR_UNAVAILABLE)
		return "The server cannot do this now; the same frame may be sent again.";
	return fault->detail;
}

json_t *
reply_error(json_t *id, const struct fault *fault, int64_t retry_after_ms)
{
	json_t *json = reply(id, false);
	json_t *error = json_object();

	json_object_set_new(error, "code", json_string(code_of(fault)));
	json_object_set_new(error, "detail", json_string(detail_of(fault)));
	json_object_set_new(error, "retryable", json_boolean(status_is_retryable(fault->status)));
	if (fault->field != NULL)
		json_object_set_new(error, "field", json_string(fault->field));
	if (retry_after_ms > 0)
		json_object_set_new(error, "retry_after_ms", json_integer(retry_after_ms));
	json_object_set_new(json, "error", error);
	return json;
}

json_t *
reply_refusal(json_t *id, enum status status, const char *code, const char *detail)
{
	struct fault fault = {0};

	fault_set(&fault, status, code, NULL, "%s", detail);
	return reply_error(id, &fault, 0);
}
