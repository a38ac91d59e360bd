/* The refresh cookie, and the defence against other sites' pages. */
#include "cookie.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/origin.h"
#include "req.h"

/* Cookies are a host's, whatever the port (RFC 6265 8.5): without the port in the name, two copies on one host would log
 * one another out. */
static const char *
cookie_name(struct req *req)
{
	return arena_printf(&req->arena, "stonechat_refresh_%" PRId64, req->app->config->port);
}

const char *
cookie_refresh_token(struct req *req)
{
	const char *header = req_header(req, "HTTP_COOKIE");
	const char *name = cookie_name(req);
	size_t name_len = strlen(name);

	while (header && *header) {
		header += strspn(header, "; ");
		size_t len = strcspn(header, ";");

		if (len > name_len + 1 && strncmp(header, name, name_len) == 0 && header[name_len] == '=')
			return arena_memdup(&req->arena, header + name_len + 1, len - name_len - 1);
		header += len;
	}
	return NULL;
}

static const char *const *
public_origins(const struct req *req)
{
	return (const char *const *)req->app->config->public_origins;
}

enum status
cookie_check_origin(struct req *req)
{
	const char *site = req_header(req, "HTTP_SEC_FETCH_SITE");
	bool site_allowed = !site || strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0;

	if (site_allowed &&
	    origin_is_allowed(req_header(req, "HTTP_ORIGIN"), req_header(req, "HTTP_HOST"), public_origins(req)))
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
	       (origin && strncasecmp(origin, "https://", 8) == 0 && origin_is_listed(origin, public_origins(req)));
}

void
cookie_set(struct req *req, const char *refresh_token, int64_t max_age_s)
{
	req_add_header(req, "Set-Cookie",
		       arena_printf(&req->arena,
				    "%s=%s; Path=/api/v1/auth; Max-Age=%" PRId64 "; HttpOnly; SameSite=Strict%s",
				    cookie_name(req), refresh_token, max_age_s, is_secure(req) ? "; Secure" : ""));
}
