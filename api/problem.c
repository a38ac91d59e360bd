/* The table of what each status is over HTTP, and the document made of it. */
#include "problem.h"

#include <assert.h>
#include <stdlib.h>

#include "json.h"
#include "req.h"

struct row {
	int http_status;
	const char *title;
	const char *code;   /* when the fault has none */
	const char *detail; /* likewise */
};

static const struct row rows[STATUS__MAX] = {
	[ERR_MALFORMED] = {400, "Bad Request", "malformed", "The request cannot be understood."},
	[ERR_INVALID] = {422, "Unprocessable Content", "invalid", "A value is out of its range."},
	[ERR_UNAUTHORIZED] = {401, "Unauthorized", "unauthorized", "Log in first."},
	[ERR_FORBIDDEN] = {403, "Forbidden", "forbidden", "This is not allowed."},
	[ERR_NOT_FOUND] = {404, "Not Found", "not_found", "There is nothing here."},
	[ERR_METHOD] = {405, "Method Not Allowed", "method_not_allowed", "This method is not offered here."},
	[ERR_CONFLICT] = {409, "Conflict", "conflict", "Something else is there already."},
	[ERR_PRECONDITION] = {412, "Precondition Failed", "precondition_failed", "It has changed meanwhile."},
	[ERR_TOO_LARGE] = {413, "Content Too Large", "too_large", "The body is over its limit."},
	[ERR_MEDIA_TYPE] = {415, "Unsupported Media Type", "media_type", "The body must be application/json."},
	[ERR_RATE_LIMITED] = {429, "Too Many Requests", "rate_limited",
			      "Too many requests in a short time; wait a little, then send it again."},
	[ERR_UNAVAILABLE] = {503, "Service Unavailable", "unavailable", "The server cannot do this at the moment."},
	[ERR_INTERNAL] = {500, "Internal Server Error", "internal", "Something went wrong here."},
};

static json_t *
to_json(const struct req *req, const struct row *row, const struct fault *fault, bool retryable)
{
	const char *code = fault ? fault->code : row->code;
	const char *detail = fault && fault->detail[0] ? fault->detail : row->detail;
	json_t *json = json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:b}", "type", "about:blank", "title", row->title,
				 "status", row->http_status, "code", code, "detail", detail, "request_id",
				 req->request_id, "retryable", retryable);

	/* The path comes from outside and may not be UTF-8: json_string refuses it then, and there is no instance. */
	json_t *instance = req->path ? json_string(req->path) : NULL;
	if (instance)
		json_object_set_new(json, "instance", instance);
	if (fault && fault->field)
		json_object_set_new(json, "errors",
				    json_pack("[{s:s, s:s, s:s}]", "field", fault->field, "code", code, "detail",
					      detail));
	return json;
}

void
problem_reply(struct req *req, enum status status)
{
	assert(status > OK && status < STATUS__MAX);
	const struct row *row = &rows[status];
	bool explained = req->fault.status == status && req->fault.code && status != ERR_INTERNAL;

	free(req->reply_bytes);
	req->reply_bytes = json_to_text(to_json(req, row, explained ? &req->fault : NULL, status_is_retryable(status)),
					&req->reply_len);
	req->http_status = row->http_status;
	req->content_type = "application/problem+json";
	if (status == ERR_UNAUTHORIZED)
		req_add_header(req, "WWW-Authenticate", "Bearer realm=\"stonechat\"");
}
