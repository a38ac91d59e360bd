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

/* Whether a comma-separated list, or NULL, holds the word. */
static bool
has_word(const char *list, const char *word, int (*compare)(const char *, const char *, size_t))
{
	while (list != NULL && *list != '\0') {
		size_t len;

		list += strspn(list, ", \t");
		len = strcspn(list, ", \t");
		if (len == strlen(word) && compare(list, word, len) == 0)
			return true;
		list += len;
	}
	return false;
}

static bool
is_handshake(const struct upgrade_request *request)
{
	return request->upgrade != NULL && strcasecmp(request->upgrade, "websocket") == 0 &&
	       has_word(request->connection, "upgrade", strncasecmp) && request->version != NULL &&
	       strcmp(request->version, UPGRADE_VERSION) == 0 && request->key_len == UPGRADE_KEY_LEN;
}

static size_t
longest_word(const char *list)
{
	size_t longest = 0;

	while (*list != '\0') {
		size_t len;

		list += strspn(list, ", \t");
		len = strcspn(list, ", \t");
		longest = len > longest ? len : longest;
		list += len;
	}
	return longest;
}

static bool
offers_subprotocol(const char *list)
{
	return list != NULL && strlen(list) <= UPGRADE_SUBPROTOCOLS_MAX &&
	       longest_word(list) <= UPGRADE_SUBPROTOCOL_MAX && has_word(list, UPGRADE_SUBPROTOCOL, strncmp);
}

unsigned
upgrade_check(const struct upgrade_request *request, const char *const *public_origins)
{
	if (request->path == NULL || strcmp(request->path, UPGRADE_PATH) != 0)
		return 404;
	if (!request->is_get)
		return 405;
	if (!is_handshake(request))
		return 426;
	if (!origin_is_allowed(request->origin, request->host, public_origins))
		return 403;
	if (!offers_subprotocol(request->subprotocols))
		return 400;
	return 101;
}
