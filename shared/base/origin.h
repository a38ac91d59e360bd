/* Which pages may use this server: the rule for a request's Origin header (RFC 6454 7), the same at every door. */
#ifndef BASE_ORIGIN_H
#define BASE_ORIGIN_H

#include <stdbool.h>

/* Whether `origin` is one of `listed` (NULL-terminated; NULL: none), whatever the case of its letters. */
bool origin_is_listed(const char *origin, const char *const *listed);

/* Whether a request with this Origin may be served: it has none (NULL: a browser sends one with every upgrade and
 * with every POST), or is http(s)://<host>, `host` being the request's Host header (NULL or "": none), or is one of
 * `listed`. Host is what the browser asked for, and a foreign page cannot choose it. */
bool origin_is_allowed(const char *origin, const char *host, const char *const *listed);

#endif
