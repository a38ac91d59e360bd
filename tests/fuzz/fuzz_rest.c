/* Requests to every operation with their path, query, headers and body: one to MAX_REQUESTS of them, so that what one stores is
 * there for the next. They are separated by a byte 0xff, and each is
 *
 * <operation><caller><path parameters separated by />?<query>\n<Header: value>\n...\n\n<body>
 *
 * where <operation> is a byte that counts the rows of the route table and <caller> one of 0123 (Ann, Bob, Eve, nobody). A header
 * without a name is another method. */
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "fuzz.h"
#include "route.h"
#include "site.h"

enum { MAX_REQUESTS = 8, HEADER_NAME_MAX = 64 };

/* Takes the next line off a text; NULL when nothing is left. */
static char *
take_line(char **rest)
{
	return *rest ? strsep(rest, "\n") : NULL;
}

/* The route's path with its parameters from `target`, and the query after them. */
static const char *
make_uri(struct arena *arena, const struct route *route, char *target)
{
	char *query = target + strcspn(target, "?");
	bool has_query = *query == '?';
	struct buf uri;
	const char *text;

	*query = '\0';
	buf_init(&uri, 0);
	for (const char *c = route->path; *c; c++) {
		if (*c != '{') {
			buf_append(&uri, c, 1);
			continue;
		}
		const char *value = target ? strsep(&target, "/") : NULL;

		buf_append_text(&uri, value ? value : "");
		c = strchr(c, '}');
	}
	if (has_query)
		buf_printf(&uri, "?%s", query + 1);
	text = arena_strdup(arena, uri.bytes);
	buf_finish(&uri);
	return text;
}

/* As CGI names them (RFC 3875 4.1.18). */
static void
add_header(struct site *site, char *line, const char **method)
{
	char *value = line + strcspn(line, ":");
	char name[HEADER_NAME_MAX] = "HTTP_";

	if (!*value)
		return;
	*value++ = '\0';
	value += strspn(value, " ");
	if (!*line) {
		*method = value;
		return;
	}
	if (strcasecmp(line, "Content-Type") == 0) {
		site_param(site, "CONTENT_TYPE", value);
		return;
	}
	for (size_t i = 0, n = strlen(name); line[i] && n < sizeof name - 1; i++, n++)
		name[n] = line[i] == '-' ? '_' : (char)toupper((unsigned char)line[i]);
	site_param(site, name, value);
}

static void
serve(struct site *site, const struct route *route, size_t caller, char *text, size_t len)
{
	char *rest = text, *target = take_line(&rest), *line;
	const char *uri = make_uri(&site->arena, route, target), *method = route->method;

	if (caller < PLACE_PEOPLE)
		site_param(site, "HTTP_AUTHORIZATION",
			   arena_printf(&site->arena, "Bearer %s", site->place.access_token[caller]));
	while ((line = take_line(&rest)) && *line)
		add_header(site, line, &method);
	site_param(site, "CONTENT_TYPE", "application/json"); /* the first one counts */
	site_serve(site, method, uri, rest, rest ? (size_t)(text + len - rest) : 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct site site;
	const char *rest = (const char *)data;

	if (!site.app.config)
		site_create(&site);
	site_begin(&site);
	for (int n = 0; n < MAX_REQUESTS && size >= 2; n++) {
		const char *end = memchr(rest + 2, 0xff, size - 2);
		size_t len = end ? (size_t)(end - rest) : size, expanded_len;
		const struct route *route = &routes[(uint8_t)rest[0] % n_routes];
		char *text = place_expand(&site.place, &site.arena, rest + 2, len - 2, &expanded_len);

		if (route->rate == ROUTE_RATE_NONE)
			return -1; /* health: it reads nothing, and asks other programs */
		serve(&site, route, (uint8_t)rest[1] % (PLACE_PEOPLE + 1), text, expanded_len);
		rest += end ? len + 1 : len;
		size -= end ? len + 1 : len;
	}
	return 0;
}
