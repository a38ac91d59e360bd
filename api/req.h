/* One request and its answer, as a handler sees them. FastCGI fills the request from its parameters (fcgi.c), a test from an
 * array; nobody else knows how it came in. */
#ifndef REQ_H
#define REQ_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app.h"
#include "base/arena.h"
#include "base/id.h"
#include "base/status.h"
#include "db/db.h"
#include "model/session.h"
#include "rate_limit.h"
#include "reader.h"
#include "store/sessions.h"
#include "uri.h"

enum {
	REQ_HEADERS_MAX = 24, /* of an answer */
	REQ_PATH_MAX = 4,     /* parameters in a path */
	REQ_QUERY_MAX = 16,
	REQ_ID_SIZE = 65,
	REQ_LIMIT_DEFAULT = 50,
	REQ_LIMIT_MAX = 200,
};

struct route;

struct req {
	struct app *app;
	struct reader *reader;
	struct arena arena; /* lives as long as the request */

	/* as it came in */
	const char *const
		*params;        /* CGI/1.1 (RFC 3875): NAME=value, NULL-terminated; gone once the answer is written */
	const char *body_bytes; /* NULL when it was over limits.body_bytes and thrown away */
	size_t body_len;

	/* as route_serve understood it */
	const char *method;
	const char *path; /* undecoded, without the query */
	const struct route *route;
	struct uri_pair path_pairs[REQ_PATH_MAX];
	size_t n_path_pairs;
	struct uri_pair query_pairs[REQ_QUERY_MAX];
	size_t n_query_pairs;
	json_t *body; /* an object where the route has a body, {} when an optional one is missing */
	struct caller caller;
	struct rate_answer limit; /* what limit.c found */
	struct standing
		standing; /* what auth_check read; in routes with ROUTE_AUTH_TOKEN the epoch alone, once etag.c has */
	char request_id[REQ_ID_SIZE];

	/* why a handler refused */
	struct fault fault;

	/* the answer */
	int http_status;
	const char *content_type;
	struct uri_pair headers[REQ_HEADERS_MAX];
	size_t n_headers;
	char *reply_bytes; /* NULL: no body */
	size_t reply_len;
};

/* Begins and ends a request; the arena is emptied for the next one, and released by arena_finish when there is none. */
void req_begin(struct req *req, struct app *app, struct reader *reader, const char *const *params);
void req_end(struct req *req);

/* A CGI parameter, e.g. "REQUEST_METHOD"; NULL when there is none. */
const char *req_param(const struct req *req, const char *name);

/* A header by its CGI name, e.g. "HTTP_ORIGIN"; NULL when it is missing or empty. */
const char *req_header(const struct req *req, const char *name);

/* A decoded path parameter of the route. */
const char *req_path(const struct req *req, const char *name);

/* The path parameter conversation_id. ERR_NOT_FOUND for what cannot be an id: there is no such conversation. */
MUST_USE enum status req_conversation_id(struct req *req, char ret_id[ID_SIZE]);

/* The same where the path has one that can be an id; false: it is about no conversation. */
bool req_about_conversation(const struct req *req, char ret_id[ID_SIZE]);

/* The conversation of the path as auth_check found it. ERR_NOT_FOUND when the caller is not in it. */
MUST_USE enum status req_head(struct req *req, const struct head **ret_head);

/* A decoded query parameter; NULL when it is missing. */
const char *req_query(const struct req *req, const char *name);

/* A number from 0 to 2^53 - 1; left alone when the parameter is missing. ERR_MALFORMED for what is no number, ERR_INVALID for
 * one below 0. */
MUST_USE enum status req_query_number(struct req *req, const char *name, int64_t *number);

/* The query parameter limit: 1 to REQ_LIMIT_MAX, else ERR_INVALID. */
MUST_USE enum status req_query_limit(struct req *req, int64_t *ret_limit);

/* The header Idempotency-Key is a message's id: makes it the draft's, which must not have chosen another one. ERR_MALFORMED
 * when it is no UUID. */
MUST_USE enum status req_idempotency_key(struct req *req, struct message_draft *draft);

/* This thread's connection for reading. ERR_UNAVAILABLE when the database is down. */
MUST_USE enum status req_db(struct req *req, struct db **ret_db);

/* Exactly one of req_reply, req_reply_empty and req_fail ends a handler. This one: with a body; takes the json. Returns OK. */
enum status req_reply(struct req *req, int http_status, json_t *json);

/* The same with ready JSON in malloc memory, which it takes. */
enum status req_reply_text(struct req *req, int http_status, char *text, size_t len);

/* Without a body (204, 304). Returns OK. */
enum status req_reply_empty(struct req *req, int http_status);

/* A refusal; problem.c makes the document of it. Returns `status`. */
enum status req_fail(struct req *req, enum status status, const char *code, const char *detail);

/* One more header of the answer; the value is copied. */
void req_add_header(struct req *req, const char *name, const char *value);
bool req_has_header(const struct req *req, const char *name);

#endif
