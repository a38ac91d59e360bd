/* Credentials are never allowed: a listed page has its token in a header and needs none, and the cookie stays what only the
 * server's own pages have, as far as the browser says where a request is from (cookie.c). The origin is named in the answer, not `*`, so that Vary tells caches why. */
#include "cors.h"

#include <stdbool.h>

#include "base/origin.h"
#include "req.h"

static const char request_headers[] =
	"Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-Id";
static const char answer_headers[] =
	"Allow, ETag, Idempotent-Replayed, Location, RateLimit-Limit, RateLimit-Remaining, "
	"RateLimit-Reset, Retry-After, X-Request-Id";
static const char permission_s[] = "7200"; /* the longest that browsers keep it */

static const char *const *
public_origins(const struct req *req)
{
	return (const char *const *)req->app->config->public_origins;
}

/* The page's origin when it is listed, else NULL. */
static const char *
listed_origin(const struct req *req)
{
	const char *origin = req_header(req, "HTTP_ORIGIN");

	return origin && origin_is_listed(origin, public_origins(req)) ? origin : NULL;
}

void
cors_add_headers(struct req *req)
{
	const char *origin = listed_origin(req);
	bool varies = public_origins(req) && public_origins(req)[0] && req_header(req, "HTTP_ORIGIN");

	if (varies)
		req_add_header(req, "Vary", "Origin");
	if (!origin)
		return;
	req_add_header(req, "Access-Control-Allow-Origin", origin);
	req_add_header(req, "Access-Control-Expose-Headers", answer_headers);
}

void
cors_permit(struct req *req, const char *methods)
{
	if (!listed_origin(req) || !req_header(req, "HTTP_ACCESS_CONTROL_REQUEST_METHOD"))
		return;
	req_add_header(req, "Access-Control-Allow-Methods", methods);
	req_add_header(req, "Access-Control-Allow-Headers", request_headers);
	req_add_header(req, "Access-Control-Max-Age", permission_s);
}
