/* Percent-decoding and query parameters. */
#include "uri.h"

#include <string.h>

#include "base/text.h"

bool
uri_decode(struct arena *arena, const char *bytes, size_t len, bool plus, const char **ret_text)
{
	char *text = arena_alloc(arena, len + 1);
	size_t n;

	if (!text_percent_decode(bytes, len, plus, text, &n) || !text_is_utf8(text, n))
		return false;
	*ret_text = text;
	return true;
}

static bool
parse_pair(struct arena *arena, const char *bytes, size_t len, struct uri_pair *ret_pair)
{
	const char *equals = memchr(bytes, '=', len);
	size_t name_len = equals ? (size_t)(equals - bytes) : len;
	const char *value = equals ? equals + 1 : bytes + len;

	return uri_decode(arena, bytes, name_len, true, &ret_pair->name) &&
	       uri_decode(arena, value, (size_t)(bytes + len - value), true, &ret_pair->value);
}

bool
uri_parse_query(struct arena *arena, const char *query, struct uri_pair *ret_pairs, size_t max, size_t *ret_n)
{
	size_t n = 0;

	while (*query) {
		size_t len = strcspn(query, "&");

		if (len > 0) {
			if (n == max || !parse_pair(arena, query, len, &ret_pairs[n]))
				return false;
			n++;
		}
		query += len;
		if (*query)
			query++;
	}
	*ret_n = n;
	return true;
}
