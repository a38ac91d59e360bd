/* What a request line and its query may be: percent-decoding (RFC 3986 2.1) and parameters. */
#ifndef URI_H
#define URI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

struct uri_pair {
	const char *name;
	const char *value;
};

/* Decodes `len` bytes into the arena. False when an escape is broken or the result is not UTF-8 or holds a NUL. In a query
 * `plus` is true: + stands for a space. */
bool uri_decode(struct arena *arena, const char *bytes, size_t len, bool plus, const char **ret_text);

/* Splits name=value&name=value into at most `max` pairs. False when it is malformed or there are more. */
bool uri_parse_query(struct arena *arena, const char *query, struct uri_pair *ret_pairs, size_t max, size_t *ret_n);

#endif
