/* Cookie mode: the refresh token as an HttpOnly cookie, and which pages may use it. */
#ifndef COOKIE_H
#define COOKIE_H

#include <stdint.h>

#include "base/status.h"

struct req;

/* The refresh token in the request's cookie; NULL when there is none. */
const char *cookie_refresh_token(struct req *req);

/* What every request must pass that uses or sets the cookie: it comes from a page of ours (Sec-Fetch-Site is same-origin,
 * none or absent; Origin is the request's own host, one of public.origins or absent), or another site's page could act for
 * the person (CSRF, log-in CSRF). ERR_FORBIDDEN, code `origin_not_allowed`. */
MUST_USE enum status cookie_check_origin(struct req *req);

/* Sets the cookie, stonechat_refresh_<port>, for `max_age_s` seconds; an empty token and 0 remove it. Only /api/v1/auth
 * ever sees it (RFC 6265). */
void cookie_set(struct req *req, const char *refresh_token, int64_t max_age_s);

#endif
