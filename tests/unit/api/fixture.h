/* Requests in memory: handlers run on a real database in a temporary folder, without FastCGI, Redis and push. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/app.h"
#include "api/req.h"
#include "api/route.h"
#include "db/db.h"
#include "db/migrate.h"
#include "json.h"

enum { FIXTURE_PARAMS_MAX = 16, FIXTURE_TEXT_MAX = 256 };

struct fixture {
	char folder[64];
	char url[FIXTURE_TEXT_MAX];
	struct config config;
	struct app app;
	struct reader reader;
	struct req req;
	char param_text[FIXTURE_PARAMS_MAX][2048];
	const char *params[FIXTURE_PARAMS_MAX + 1];
	size_t n_params;
};

static inline void
fixture_set_up(struct fixture *f)
{
	struct fault fault = {0};
	struct db *db;
	size_t n_applied;

	memset(f, 0, sizeof *f);
	snprintf(f->folder, sizeof f->folder, "/tmp/stonechat-test-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->url, sizeof f->url, "sqlite:%s/test.db", f->folder);
	f->config = (struct config){
		.port = 8080,
		.database_url = f->url,
		.push_bind = "127.0.0.1",
		.push_port = 1,
		.push_processes = 1,
		.auth_sign_up = "open",
		.auth_access_token_s = 600,
		.auth_refresh_token_s = 3600,
		.limits_body_bytes = 65536,
	};
	f->app.config = &f->config;
	assert_int_equal(db_open(f->url, DB_ACCESS_WRITE, &db, &fault), OK);
	assert_int_equal(migrate_run(db, NULL, NULL, &n_applied, &fault), OK);
	db_close(db);
	assert_int_equal(token_key_load(f->folder, &f->app.token_key, &fault), OK);
	assert_int_equal(writer_create(f->url, 1, NULL, &f->app.writer, &fault), OK);
	assert_int_equal(pipeline_create("direct", f->app.writer, &f->app.pipeline, &fault), OK);
	f->app.passwords = password_pool_create(1, 8);
}

/* Removes the folder's files: they are all in it or in keys/. */
static inline void
fixture_tear_down(struct fixture *f)
{
	static const char *const files[] = {"test.db",       "test.db-wal",        "test.db-shm",    "test.db.next",
					    "test.db.write", "test.db.checkpoint", "keys/token.key", "keys"};
	char path[FIXTURE_TEXT_MAX];

	req_end(&f->req);
	arena_finish(&f->req.arena);
	reader_finish(&f->reader);
	password_pool_destroy(f->app.passwords);
	pipeline_destroy(f->app.pipeline);
	writer_destroy(f->app.writer);
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", f->folder, files[i]);
		remove(path);
	}
	remove(f->folder);
}

/* For the next request: one CGI parameter. */
static inline void
fixture_param(struct fixture *f, const char *name, const char *value)
{
	assert_true(f->n_params < FIXTURE_PARAMS_MAX);
	snprintf(f->param_text[f->n_params], sizeof f->param_text[0], "%s=%s", name, value);
	f->params[f->n_params] = f->param_text[f->n_params];
	f->n_params++;
}

static inline void
fixture_token(struct fixture *f, const char *token)
{
	char value[1024 + sizeof "Bearer "];

	snprintf(value, sizeof value, "Bearer %s", token);
	fixture_param(f, "HTTP_AUTHORIZATION", value);
}

/* Serves a request with the parameters given since the last one; a body (may be NULL) is JSON. Returns the HTTP status. */
static inline int
fixture_ask(struct fixture *f, const char *method, const char *uri, const char *body)
{
	fixture_param(f, "REQUEST_METHOD", method);
	fixture_param(f, "REQUEST_URI", uri);
	if (body)
		fixture_param(f, "CONTENT_TYPE", "application/json");
	f->params[f->n_params] = NULL;
	f->n_params = 0;

	req_end(&f->req);
	req_begin(&f->req, &f->app, &f->reader, f->params);
	f->req.body_bytes = body;
	f->req.body_len = body ? strlen(body) : 0;
	route_serve(&f->req);
	return f->req.http_status;
}

/* The answer's body; the caller owns it. */
static inline json_t *
fixture_answer(struct fixture *f)
{
	json_t *json = json_loadb(f->req.reply_bytes, f->req.reply_len, 0, NULL);

	assert_non_null(json);
	return json;
}

static inline const char *
fixture_header(const struct fixture *f, const char *name)
{
	for (size_t i = 0; i < f->req.n_headers; i++) {
		if (strcmp(f->req.headers[i].name, name) == 0)
			return f->req.headers[i].value;
	}
	return NULL;
}

/* Asserts the problem's status and code. */
static inline void
fixture_assert_problem(struct fixture *f, int status, const char *code)
{
	CLEANUP_JSON json_t *problem = fixture_answer(f);

	assert_string_equal(json_string_value(json_object_get(problem, "code")), code);
	assert_int_equal(f->req.http_status, status);
	assert_string_equal(f->req.content_type, "application/problem+json");
	assert_int_equal(json_integer_value(json_object_get(problem, "status")), status);
	assert_string_equal(json_string_value(json_object_get(problem, "request_id")), f->req.request_id);
}

/* Copies a text out of the answer: `key`, in the object `inside` unless that is NULL. */
static inline void
fixture_take(struct fixture *f, const char *inside, const char *key, char ret_text[1024])
{
	CLEANUP_JSON json_t *answer = fixture_answer(f);
	const json_t *object = inside ? json_object_get(answer, inside) : answer;
	const char *text = json_string_value(json_object_get(object, key));

	assert_non_null(text);
	snprintf(ret_text, 1024, "%s", text);
}

struct fixture_person {
	char id[1024];
	char token[1024];
	char refresh_token[1024];
};

static inline void
fixture_sign_up(struct fixture *f, const char *username, struct fixture_person *ret_person)
{
	char body[FIXTURE_TEXT_MAX];

	snprintf(body, sizeof body, "{\"username\":\"%s\",\"password\":\"correct horse\"}", username);
	assert_int_equal(fixture_ask(f, "POST", "/api/v1/auth/signup", body), 201);
	fixture_take(f, "user", "id", ret_person->id);
	fixture_take(f, NULL, "access_token", ret_person->token);
	fixture_take(f, NULL, "refresh_token", ret_person->refresh_token);
}

/* The same as somebody who is logged in. */
static inline int
fixture_ask_as(struct fixture *f, const struct fixture_person *person, const char *method, const char *uri,
	       const char *body)
{
	fixture_token(f, person->token);
	return fixture_ask(f, method, uri, body);
}

#endif
