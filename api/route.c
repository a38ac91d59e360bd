/* Serving one request by the table: method and path, query, token, body, handler, and the headers that every answer has. */
#include "route.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "auth.h"
#include "cors.h"
#include "json.h"
#include "limit.h"
#include "log.h"
#include "problem.h"
#include "req.h"

/* Takes the client's X-Request-Id when it is 1 to 64 of [A-Za-z0-9_-], so that it can stand in a log line. */
static void
set_request_id(struct req *req)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	const char *given = req_header(req, "HTTP_X_REQUEST_ID");
	size_t len = given ? strlen(given) : 0;

	if (len == 0 || len >= REQ_ID_SIZE || strspn(given, allowed) != len)
		id_make(req->request_id);
	else
		memcpy(req->request_id, given, len + 1);
}

/* Whether the undecoded path fits; fills in the path parameters. */
static bool
match_path(struct req *req, const char *pattern)
{
	const char *path = req->path;

	req->n_path_pairs = 0;
	while (*pattern == '/' && *path == '/') {
		size_t pattern_len = strcspn(++pattern, "/"), path_len = strcspn(++path, "/");
		const char *segment;

		if (!uri_decode(&req->arena, path, path_len, false, &segment))
			return false;
		if (pattern[0] == '{' && segment[0]) {
			assert(req->n_path_pairs < REQ_PATH_MAX);
			req->path_pairs[req->n_path_pairs++] =
				(struct uri_pair){arena_memdup(&req->arena, pattern + 1, pattern_len - 2), segment};
		} else if (strlen(segment) != pattern_len || memcmp(segment, pattern, pattern_len) != 0) {
			return false;
		}
		pattern += pattern_len;
		path += path_len;
	}
	return !*pattern && !*path;
}

/* What can be done at the request's path, separated by commas; NULL when there is nothing. What is not below /api/ and none of
 * ours is a file: the web server reads it itself and asks here about everything else. */
static const char *
methods_at_path(struct req *req, bool is_read)
{
	const char *methods = NULL;

	for (const struct route *route = routes; route < routes + n_routes; route++) {
		if (!match_path(req, route->path) || (methods && strstr(methods, route->method)))
			continue; /* two patterns may fit one path */
		methods = methods ? arena_printf(&req->arena, "%s, %s", methods, route->method) : route->method;
		if (strcmp(route->method, "GET") == 0)
			methods = arena_printf(&req->arena, "%s, HEAD", methods);
	}
	if (methods)
		return arena_printf(&req->arena, "%s, OPTIONS", methods);
	return is_read || strncmp(req->path, "/api/", 5) == 0 ? NULL : "GET, HEAD, OPTIONS";
}

static enum status
no_such_path(struct req *req)
{
	return req_fail(req, ERR_NOT_FOUND, "path_not_found", "There is nothing at this path.");
}

/* HEAD is GET whose body the web server leaves out (RFC 9110 9.3.2). */
static enum status
find_route(struct req *req)
{
	const char *method = strcmp(req->method, "HEAD") == 0 ? "GET" : req->method;
	const char *methods;

	for (const struct route *route = routes; route < routes + n_routes; route++) {
		if (strcmp(route->method, method) == 0 && match_path(req, route->path)) {
			req->route = route;
			return OK;
		}
	}
	methods = methods_at_path(req, strcmp(method, "GET") == 0);
	if (!methods)
		return no_such_path(req);
	req_add_header(req, "Allow", methods);
	return fault_set(&req->fault, ERR_METHOD, "method_not_allowed", NULL, "Offered here: %s.", methods);
}

/* OPTIONS, also a browser's question before it sends what a page wants to send. */
static enum status
tell_methods(struct req *req)
{
	const char *methods = methods_at_path(req, false);

	if (!methods)
		return no_such_path(req);
	req_add_header(req, "Allow", methods);
	cors_permit(req, methods);
	return req_reply_empty(req, 204);
}

static bool
is_known_parameter(const struct route *route, const char *name)
{
	for (const char *const *known = route->query; known && *known; known++) {
		if (strcmp(*known, name) == 0)
			return true;
	}
	return false;
}

static enum status
read_query(struct req *req, const char *query)
{
	if (!uri_parse_query(&req->arena, query, req->query_pairs, REQ_QUERY_MAX, &req->n_query_pairs))
		return req_fail(req, ERR_MALFORMED, "query_malformed", "The query string cannot be read.");
	for (size_t i = 0; i < req->n_query_pairs; i++) {
		const char *name = req->query_pairs[i].name;

		if (!is_known_parameter(req->route, name))
			return req_fail(req, ERR_MALFORMED, "parameter_unknown",
					"A query parameter is not known here.");
		for (size_t k = 0; k < i; k++) {
			if (strcmp(req->query_pairs[k].name, name) == 0)
				return fault_set(&req->fault, ERR_MALFORMED, "parameter_repeated", name,
						 "%s is given twice.", name);
		}
	}
	return OK;
}

/* Splits `name=value` off a header's parameters, which begin by a semicolon; quotes are left out of the value (RFC 9110 5.6.6).
 * False: there is no more. */
static bool
next_parameter(struct req *req, const char **rest, struct uri_pair *ret_pair)
{
	const char *at = *rest + strspn(*rest, "; \t");
	size_t name_len = strcspn(at, "=; \t"), value_len = 0;
	const char *value = at + name_len;

	if (!*at)
		return false;
	if (value[0] == '=' && value[1] == '"') {
		value += 2;
		value_len = strcspn(value, "\"");
		*rest = value + value_len + (value[value_len] == '"');
	} else {
		value += value[0] == '=';
		value_len = strcspn(value, "; \t");
		*rest = value + value_len;
	}
	*ret_pair =
		(struct uri_pair){arena_memdup(&req->arena, at, name_len), arena_memdup(&req->arena, value, value_len)};
	return true;
}

/* application/json, with parameters or without (RFC 9110 8.3.1). It has none that counts, but a charset that is said is meant,
 * and JSON is UTF-8 (RFC 8259 8.1). */
static enum status
check_media_type(struct req *req)
{
	static const char json[] = "application/json";
	const char *content_type = req_param(req, "CONTENT_TYPE");
	size_t len = sizeof json - 1;
	struct uri_pair parameter;

	bool is_json = content_type && strncasecmp(content_type, json, len) == 0 &&
		       strchr("; \t", content_type[len]) != NULL; /* also its end */
	if (!is_json)
		return req_fail(req, ERR_MEDIA_TYPE, "media_type", "The body must be application/json.");
	content_type += len;
	while (next_parameter(req, &content_type, &parameter)) {
		if (strcasecmp(parameter.name, "charset") == 0 && strcasecmp(parameter.value, "utf-8") != 0)
			return req_fail(req, ERR_MEDIA_TYPE, "media_type",
					"The body must be in UTF-8: leave the charset of Content-Type out, or let it "
					"say utf-8.");
	}
	return OK;
}

static enum status
check_content_coding(struct req *req)
{
	const char *coding = req_header(req, "HTTP_CONTENT_ENCODING");

	if (coding && strcasecmp(coding, "identity") != 0)
		return req_fail(req, ERR_MEDIA_TYPE, "media_type",
				"The body must not be compressed: send it without Content-Encoding.");
	return OK;
}

static enum status
read_body(struct req *req)
{
	const struct route *route = req->route;

	if (req->body_len > route->body_max_bytes || (req->body_len > 0 && !req->body_bytes))
		return fault_set(&req->fault, ERR_TOO_LARGE, "too_large", NULL,
				 "The body is over its limit of %zu bytes.", route->body_max_bytes);
	if (req->body_len == 0 && !route->body_required) {
		req->body = json_object();
		return OK;
	}
	TRY(check_media_type(req));
	TRY(check_content_coding(req));
	return json_parse_object(req->body_bytes, req->body_len, &req->body, &req->fault);
}

static enum status
serve(struct req *req)
{
	const char *uri = req_param(req, "REQUEST_URI");
	size_t path_len = uri ? strcspn(uri, "?") : 0;

	req->method = arena_strdup(&req->arena, req_param(req, "REQUEST_METHOD"));
	req->path = uri ? arena_memdup(&req->arena, uri, path_len) : NULL;
	if (!req->method || !uri)
		return req_fail(req, ERR_MALFORMED, "malformed", "There is no method or no path.");

	if (strcmp(req->method, "OPTIONS") == 0)
		return tell_methods(req);
	TRY(find_route(req));
	if (req->route->auth == ROUTE_AUTH_SESSION)
		TRY(auth_check(req));
	else if (req->route->auth == ROUTE_AUTH_DEVICE)
		TRY(auth_check_device(req));
	else if (req->route->auth == ROUTE_AUTH_TOKEN)
		TRY(auth_token(req));
	TRY(limit_check(req));
	TRY(read_query(req, uri[path_len] ? uri + path_len + 1 : ""));
	if (req->route->body_max_bytes > 0)
		TRY(read_body(req));
	return req->route->handler(req);
}

/* What every answer has. An ETag's answer may be kept by the browser but must be asked for again. */
static void
finish_headers(struct req *req)
{
	cors_add_headers(req);
	req_add_header(req, "X-Request-Id", req->request_id);
	req_add_header(req, "X-Content-Type-Options", "nosniff");
	req_add_header(req, "Cache-Control", req_has_header(req, "ETag") ? "private, no-cache" : "no-store");
	limit_add_headers(req);
}

/* Whether something is broken. That too many come at once is not: the line of the request says it, many times. */
static bool
is_trouble(const struct req *req, enum status status)
{
	const char *code = req->fault.code ? req->fault.code : ""; /* a database that failed has none */

	return status == ERR_INTERNAL || (status == ERR_UNAVAILABLE && strcmp(code, "server_busy") != 0);
}

void
route_serve(struct req *req)
{
	set_request_id(req);

	enum status status = serve(req);
	if (is_trouble(req, status)) {
		const char *error = req->reader->db ? db_error(req->reader->db) : "";

		log_error("refused", LOG_S("request_id", req->request_id), LOG_S("status", status_name(status)),
			  LOG_S("code", req->fault.code), LOG_S("detail", req->fault.detail), LOG_S("database", error));
		if (error[0] && status == ERR_UNAVAILABLE && !req->fault.code)
			status = req_fail(req, status, "database_unavailable", "The database does not answer.");
		if (error[0])
			reader_doubt(req->reader);
	}
	if (status != OK) {
		req->n_headers = req_has_header(req, "Allow") ? req->n_headers : 0;
		problem_reply(req, status);
	}
	assert(req->http_status);
	finish_headers(req);
}
