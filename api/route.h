/* From a request to its handler: the table (generated from openapi.yaml) and all that comes before and after a handler. */
#ifndef ROUTE_H
#define ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

struct req;

enum route_auth {
	ROUTE_AUTH_NONE,
	ROUTE_AUTH_TOKEN,   /* an access token; the writer asks for its session: req->caller without role */
	ROUTE_AUTH_SESSION, /* an access token of a session that has not ended: req->caller */
	ROUTE_AUTH_DEVICE,  /* the same, and no personal access token */
};

enum route_rate {
	ROUTE_RATE_NONE,
	ROUTE_RATE_AUTH,
	ROUTE_RATE_READ,
	ROUTE_RATE_WRITE,
	ROUTE_RATE_SEND,
	ROUTE_RATE_SEARCH,
	ROUTE_RATE_SIGN_UP,
	ROUTE_RATE_LOG_IN
};

struct route {
	const char *method;
	const char *path; /* segments in braces are parameters */
	const char *operation_id;
	enum status (*handler)(struct req *req);
	enum route_auth auth;
	enum route_rate rate;
	size_t body_max_bytes; /* 0: a body is not read */
	bool body_required;
	const char *const *query; /* names of its query parameters, NULL-terminated; NULL: none */
};

extern const struct route routes[];
extern const size_t n_routes;

/* Serves one request: finds the handler, checks token, parameters and body, runs it, and turns a refusal into a problem
 * document. The answer is in `req` when it returns, whatever happened. */
void route_serve(struct req *req);

#endif
