/* Compares an Origin header with the request's own host and with the origins that the settings name. Browsers leave a
 * default port out of both, so the texts are compared. */
#include "base/origin.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

bool
origin_is_listed(const char *origin, const char *const *listed)
{
	for (; listed != NULL && *listed != NULL; listed++) {
		if (strcasecmp(origin, *listed) == 0)
			return true;
	}
	return false;
}

static bool
is_own(const char *origin, const char *host)
{
	static const char *const schemes[] = {"http://", "https://"};

	if (host == NULL || *host == '\0')
		return false;
	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
		size_t len = strlen(schemes[i]);

		if (strncasecmp(origin, schemes[i], len) == 0)
			return strcasecmp(origin + len, host) == 0;
	}
	return false;
}

bool
origin_is_allowed(const char *origin, const char *host, const char *const *listed)
{
	return origin == NULL || is_own(origin, host) || origin_is_listed(origin, listed);
}
