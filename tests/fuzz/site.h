/* The REST server without FastCGI, lighttpd and Redis: the real routes and handlers on the database of place.h. */
#ifndef SITE_H
#define SITE_H

#include "app.h"
#include "place.h"
#include "reader.h"
#include "req.h"

enum { SITE_PARAMS_MAX = 32 };

struct site {
	struct place place;
	struct config config;
	struct app app;
	struct reader reader;
	struct req req;
	const char *params[SITE_PARAMS_MAX + 3]; /* of the next request, with method and path; they live in `arena` */
	size_t n_params;
	struct arena arena; /* of one input */
	int64_t mark;       /* place_mark when the input began */
};

void site_create(struct site *site);

/* Begins an input: undoes what the one before has written. */
void site_begin(struct site *site);

/* One more CGI parameter of the next request. Those beyond SITE_PARAMS_MAX are left out. */
void site_param(struct site *site, const char *name, const char *value);

/* Serves a request and checks what holds for every answer: a status that is no 5xx, a body that fits it, proper headers,
 * and that a refusal has stored nothing. `body` may be NULL. Returns the status. */
int site_serve(struct site *site, const char *method, const char *uri, const char *body, size_t body_len);

#endif
