/* The refresh cookie, and the defence against other sites' pages. */
#include "cookie.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "req.h"

static const char cookie_name[] = "stonechat_refresh";

const char *
cookie_refresh_token(struct req *req)
{
	const char *header = req_header(req, "HTTP_COOKIE");
	size_t name_len = sizeof cookie_name - 1;

	while (header && *header) {
		header += strspn(header, "; ");
		size_t len = strcspn(header, ";");

		if (len > name_len + 1 && strncmp(header, cookie_name, name_len) == 0 && header[name_len] == '=')
			return arena_memdup(&req->arena, header + name_len + 1, len - name_len - 1);
		header += len;
	}
	return NULL;
}

static bool
is_public_origin(const struct req *req, const char *origin)
{
	for (const char **known = req->app->config->public_origins; known && *known; known++) {
		if (strcasecmp(*known, origin) == 0)
			return true;
	}
	return false;
}

/* Whether it is http(s)://<Host>. Host is what the browser asked for, and a foreign page cannot choose it. */
static bool
is_own_origin(const struct req *req, const char *origin)
{
	const char *host = req_header(req, "HTTP_HOST");
	const char *authority = strncasecmp(origin, "http://", 7) == 0    ? origin + 7
				: strncasecmp(origin, "https://", 8) == 0 ? origin + 8
									  : NULL;

	return host && authority && strcasecmp(host, authority) == 0;
}

enum status
cookie_check_origin(struct req *req)
{
	const char *site = req_header(req, "HTTP_SEC_FETCH_SITE");
	const char *origin = req_header(req, "HTTP_ORIGIN");
	bool listed = origin && is_public_origin(req, origin);
	bool site_allowed = !site || strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0;

	if (site_allowed && (!origin || listed || is_own_origin(req, origin)))
		return OK;
	return req_fail(req, ERR_FORBIDDEN, "origin_not_allowed", "This must come from a page of this server.");
}

/* Whether the page came by https: from the web server when it ends TLS itself, else from an origin that the settings name.
 * X-Forwarded-Proto could be anybody's. */
static bool
is_secure(const struct req *req)
{
	const char *https = req_param(req, "HTTPS");
	const char *origin = req_header(req, "HTTP_ORIGIN");

	return (https && strcasecmp(https, "on") == 0) ||
	       (origin && strncasecmp(origin, "https://", 8) == 0 && is_public_origin(req, origin));
}

void
cookie_set(struct req *req, const char *refresh_token, int64_t max_age_s)
{
	req_add_header(req, "Set-Cookie",
		       arena_printf(&req->arena,
				    "%s=%s; Path=/api/v1/auth; Max-Age=%" PRId64 "; HttpOnly; SameSite=Strict%s",
				    cookie_name, refresh_token, max_age_s, is_secure(req) ? "; Secure" : ""));
}
