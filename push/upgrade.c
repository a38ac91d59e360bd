/* Pure decisions about the upgrade request; ws_http.c reads the headers and answers.
 *
 * The Origin check is against cross-site WebSocket hijacking: a browser lets any page open a socket to any host. A
 * foreign page could not act for its visitor, since a socket is authenticated by a token in its first frame and not by
 * a cookie; but without the check it could reach a server behind the visitor's firewall, try tokens on it and use its
 * sockets up. */
#include "upgrade.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/origin.h"

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
	if (!request->is_get)
		return 405;
	if (request->upgrade == NULL || strcasecmp(request->upgrade, "websocket") != 0)
		return 426;
	if (!origin_is_allowed(request->origin, request->host, public_origins))
		return 403;
	if (!offers_subprotocol(request->subprotocols))
		return 400;
	return 101;
}
