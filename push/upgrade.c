/* Pure decisions about the upgrade request; ws_http.c reads the headers and answers.
 *
 * The Origin check stops pages of other sites from opening a socket with a token they have got hold of, and from using
 * us as a reflector; there is no cookie here to steal. */
#include "upgrade.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

static bool
is_own_origin(const char *origin, const char *host)
{
	static const char *const schemes[] = {"http://", "https://"};

	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
		size_t len = strlen(schemes[i]);

		if (strncasecmp(origin, schemes[i], len) == 0)
			return host != NULL && *host != '\0' && strcasecmp(origin + len, host) == 0;
	}
	return false;
}

static bool
is_allowed_origin(const struct upgrade_request *request, const char *const *public_origins)
{
	if (request->origin == NULL || is_own_origin(request->origin, request->host))
		return true;
	for (; public_origins != NULL && *public_origins != NULL; public_origins++) {
		if (strcasecmp(request->origin, *public_origins) == 0)
			return true;
	}
	return false;
}

static bool
offers_subprotocol(const char *list)
{
	while (list != NULL && *list != '\0') {
		size_t len;

		list += strspn(list, ", \t");
		len = strcspn(list, ", \t");
		if (len == strlen(UPGRADE_SUBPROTOCOL) && memcmp(list, UPGRADE_SUBPROTOCOL, len) == 0)
			return true;
		list += len;
	}
	return false;
}

unsigned
upgrade_check(const struct upgrade_request *request, const char *const *public_origins)
{
	if (request->path == NULL || strcmp(request->path, UPGRADE_PATH) != 0)
		return 404;
	if (request->upgrade == NULL || strcasecmp(request->upgrade, "websocket") != 0)
		return 400;
	if (!is_allowed_origin(request, public_origins))
		return 403;
	if (!offers_subprotocol(request->subprotocols))
		return 400;
	return 101;
}
