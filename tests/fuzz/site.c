/* As main.c puts the server together. Passwords are hashed by place_hash: the linker sends the pool's two functions here. */
#include "site.h"

#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "json.h"
#include "log.h"
#include "password.h"
#include "route.h"

enum status __wrap_password_hash(struct password_pool *pool, const char *password, char ret_hash[PASSWORD_HASH_SIZE],
				 struct fault *ret_fault);
enum status __wrap_password_verify(struct password_pool *pool, const char *password, const char *hash,
				   struct fault *ret_fault);

enum status
__wrap_password_hash(struct password_pool *pool, const char *password, char ret_hash[PASSWORD_HASH_SIZE],
		     struct fault *ret_fault)
{
	(void)pool, (void)ret_fault;
	place_hash(password, ret_hash, PASSWORD_HASH_SIZE);
	return OK;
}

enum status
__wrap_password_verify(struct password_pool *pool, const char *password, const char *hash, struct fault *ret_fault)
{
	char made[PASSWORD_HASH_SIZE];

	(void)pool;
	place_hash(password, made, sizeof made);
	if (hash && strcmp(made, hash) == 0)
		return OK;
	return fault_set(ret_fault, ERR_UNAUTHORIZED, "bad_credentials", NULL,
			 "The username or the password is wrong.");
}

static void
open_database(struct site *site)
{
	struct fault fault = {0};

	CHECK(writer_create(site->place.url, 1, NULL, &site->app.writer, &fault) == OK, "%s", fault.detail);
	CHECK(pipeline_create("direct", site->app.writer, &site->app.pipeline, &fault) == OK, "%s", fault.detail);
	site->mark = place_mark(&site->place);
}

/* The defaults, whatever the environment says. */
static void
configure(struct site *site)
{
	char *arguments[] = {"fuzz", NULL, NULL, "--public.origins=https://chat.example", NULL};
	char *no_variables[] = {NULL}, **variables = environ;
	struct fault fault = {0};
	int rest;

	arguments[1] = arena_printf(&site->arena, "--data=%s", site->place.folder);
	arguments[2] = arena_printf(&site->arena, "--database.url=%s", site->place.url);
	environ = no_variables;
	CHECK(config_load(&site->config, 4, arguments, &rest, &fault) == OK, "%s", fault.detail);
	environ = variables;
}

void
site_create(struct site *site)
{
	json_init();
	log_init("fuzz", "error");
	place_create(&site->place);
	configure(site);
	site->app.config = &site->config;
	site->app.token_key = site->place.key;
	site->app.passwords = password_pool_create(1, 8);
	open_database(site);
}

void
site_begin(struct site *site)
{
	arena_reset(&site->arena);
	site->n_params = 0;
	if (place_mark(&site->place) == site->mark)
		return;
	reader_finish(&site->reader);
	pipeline_destroy(site->app.pipeline);
	writer_destroy(site->app.writer);
	place_restore(&site->place);
	open_database(site);
}

void
site_param(struct site *site, const char *name, const char *value)
{
	if (site->n_params < SITE_PARAMS_MAX)
		site->params[site->n_params++] = arena_printf(&site->arena, "%s=%s", name, value);
}

static void
check_headers(const struct req *req)
{
	static const char *const always[] = {"X-Request-Id", "X-Content-Type-Options", "Cache-Control"};

	for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
		CHECK(req_has_header(req, always[i]), "%d without %s", req->http_status, always[i]);
	for (size_t i = 0; i < req->n_headers; i++)
		CHECK(!strpbrk(req->headers[i].value, "\r\n"), "%s", req->headers[i].name);
	CHECK((req->http_status == 401) == req_has_header(req, "WWW-Authenticate"), "%d", req->http_status);
	CHECK(req->http_status != 405 || req_has_header(req, "Allow"), "%d", req->http_status);
}

static void
check_problem(const struct req *req, const json_t *problem)
{
	const char *code = json_string_value(json_object_get(problem, "code"));
	const char *detail = json_string_value(json_object_get(problem, "detail"));
	const char *request_id = json_string_value(json_object_get(problem, "request_id"));

	CHECK(strcmp(req->content_type, "application/problem+json") == 0, "%d %s", req->http_status, req->content_type);
	CHECK(json_integer_value(json_object_get(problem, "status")) == req->http_status, "%d", req->http_status);
	CHECK(code && code[0] && detail && detail[0], "%s", req->reply_bytes);
	CHECK(request_id && strcmp(request_id, req->request_id) == 0, "%s", req->reply_bytes);
}

static void
check_answer(const struct req *req)
{
	CHECK(req->http_status >= 200 && req->http_status < 500, "%s %s: %d %s", req->method, req->path,
	      req->http_status, req->reply_bytes ? req->reply_bytes : "");
	check_headers(req);
	if (!req->reply_bytes) {
		CHECK(req->http_status < 400, "%d without a body", req->http_status);
		return;
	}
	CHECK(req->http_status != 204 && req->http_status != 304, "%d with a body", req->http_status);

	CLEANUP_JSON json_t *json = json_loadb(req->reply_bytes, req->reply_len, JSON_REJECT_DUPLICATES, NULL);
	CHECK(json_is_object(json), "%s", req->reply_bytes);
	if (req->http_status >= 400)
		check_problem(req, json);
	else
		CHECK(strcmp(req->content_type, "application/json") == 0, "%s", req->content_type);
}

/* A refusal that stores something on purpose: a stolen refresh token ends its session. */
static bool
may_store(const struct req *req)
{
	return req->http_status < 400 || (req->fault.code && strcmp(req->fault.code, "refresh_token_reused") == 0);
}

int
site_serve(struct site *site, const char *method, const char *uri, const char *body, size_t body_len)
{
	int64_t mark = place_mark(&site->place);
	struct req *req = &site->req;

	site->params[site->n_params++] = arena_printf(&site->arena, "REQUEST_METHOD=%s", method);
	site->params[site->n_params++] = arena_printf(&site->arena, "REQUEST_URI=%s", uri);
	site->params[site->n_params] = NULL;
	site->n_params = 0;

	req_end(req);
	req_begin(req, &site->app, &site->reader, site->params);
	req->body_bytes = body;
	req->body_len = body ? body_len : 0;
	route_serve(req);
	check_answer(req);
	CHECK(may_store(req) || place_mark(&site->place) == mark, "%s %s: %d %s, and something was stored", method, uri,
	      req->http_status, req->reply_bytes);
	return req->http_status;
}
