/* Query strings: what uri.c, cursor.c and the numbers of req.c make of them, and what every operation that has parameters
 * answers. The first byte counts those operations, the rest is the query. */
#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "cursor.h"
#include "fuzz.h"
#include "json.h"
#include "route.h"
#include "site.h"

static const int64_t NUMBER_MAX = ((int64_t)1 << 53) - 1;
static const char *const untouched = "untouched";

static const char *
encode(struct arena *arena, const struct uri_pair *pairs, size_t n_pairs)
{
	struct buf query;
	const char *text;

	buf_init(&query, 0);
	for (size_t i = 0; i < n_pairs; i++) {
		const char *parts[] = {pairs[i].name, pairs[i].value};

		for (size_t k = 0; k < 2; k++) {
			for (const char *c = parts[k]; *c; c++)
				buf_printf(&query, *c == ' ' ? "+" : "%%%02x", (unsigned)(unsigned char)*c);
			buf_append_text(&query, k == 0 ? "=" : "&");
		}
	}
	text = arena_strdup(arena, query.len ? query.bytes : "");
	buf_finish(&query);
	return text;
}

/* What was read, written again and read again is the same; what is refused is not told. */
static void
check_pairs(struct req *req, const char *query)
{
	struct uri_pair again[REQ_QUERY_MAX];
	size_t n_again = 0;

	req->n_query_pairs = 77;
	if (!uri_parse_query(&req->arena, query, req->query_pairs, REQ_QUERY_MAX, &req->n_query_pairs)) {
		CHECK(req->n_query_pairs == 77, "%zu", req->n_query_pairs);
		req->n_query_pairs = 0;
		return;
	}
	CHECK(req->n_query_pairs <= REQ_QUERY_MAX, "%zu", req->n_query_pairs);
	CHECK(uri_parse_query(&req->arena, encode(&req->arena, req->query_pairs, req->n_query_pairs), again,
			      REQ_QUERY_MAX, &n_again),
	      "%s", query);
	CHECK(n_again == req->n_query_pairs, "%zu and %zu", req->n_query_pairs, n_again);
	for (size_t i = 0; i < n_again; i++) {
		const struct uri_pair *pair = &req->query_pairs[i];

		CHECK(text_is_utf8(pair->name, strlen(pair->name)) && text_is_utf8(pair->value, strlen(pair->value)),
		      "%zu", i);
		CHECK(strcmp(pair->name, again[i].name) == 0 && strcmp(pair->value, again[i].value) == 0, "%zu", i);
	}
}

static void
check_number(struct req *req, const char *name)
{
	int64_t number = -77, limit = -77;

	if (req_query_number(req, name, &number) == OK)
		CHECK((number >= 0 && number <= NUMBER_MAX) || (number == -77 && !req_query(req, name)), "%lld",
		      (long long)number);
	else
		CHECK(number == -77 && req->fault.code && req->fault.field == name, "%lld", (long long)number);
	if (req_query_limit(req, &limit) == OK)
		CHECK(limit >= 1 && limit <= REQ_LIMIT_MAX, "%lld", (long long)limit);
	else
		CHECK(limit == -77 && strcmp(req->fault.field, "limit") == 0, "%lld", (long long)limit);
}

static void
check_cursor(struct req *req, const char *cursor, const char *kind)
{
	int64_t number = -77, number_again = -77;
	const char *text = untouched, *text_again = untouched;

	if (cursor_read(req, cursor, kind, &number, &text) != OK) {
		CHECK(number == -77 && text == untouched, "%lld", (long long)number);
		CHECK(strcmp(req->fault.code, "cursor_invalid") == 0, "%s", req->fault.code);
		return;
	}
	CHECK(number >= 0 && number <= NUMBER_MAX && text_is_utf8(text, strlen(text)), "%lld", (long long)number);

	CLEANUP_JSON json_t *json = cursor_to_json(req, kind, number, text);
	CHECK(cursor_read(req, json_string_value(json), kind, &number_again, &text_again) == OK, "%s", cursor);
	CHECK(number == number_again && strcmp(text, text_again) == 0, "%s", cursor);
	CHECK(cursor_read(req, json_string_value(json), "another", &number, &text) == ERR_MALFORMED, "%s", cursor);
}

/* The text is also a position that a cursor may stand for. */
static void
check_position(struct req *req, const char *text)
{
	int64_t number = -77;
	const char *read = untouched;

	if (!text_is_utf8(text, strlen(text)) || strlen(text) > 256)
		return;
	CLEANUP_JSON json_t *cursor = cursor_to_json(req, "users", (int64_t)strlen(text), text);
	CHECK(cursor_read(req, json_string_value(cursor), "users", &number, &read) == OK, "%s", text);
	CHECK(number == (int64_t)strlen(text) && strcmp(read, text) == 0, "%s", text);
}

static void
check_parsers(const char *query)
{
	static const char *const kinds[] = {"users", "conversations", "sync", "sessions"};
	struct req req = {0};

	check_pairs(&req, query);
	for (size_t i = 0; i < req.n_query_pairs; i++) {
		check_number(&req, req.query_pairs[i].name);
		check_position(&req, req.query_pairs[i].value);
		for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
			check_cursor(&req, req.query_pairs[i].value, kinds[k]);
	}
	arena_finish(&req.arena);
}

static const struct route *
choose_route(uint8_t choice)
{
	size_t n = 0;

	for (size_t i = 0; i < n_routes; i++)
		n += routes[i].query != NULL;
	n = choice % n;
	for (const struct route *route = routes;; route++) {
		if (route->query && n-- == 0)
			return route;
	}
}

/* The path of somebody who may read it. */
static const char *
make_path(struct site *site, const struct route *route)
{
	const char *path = route->path, *brace = strchr(path, '{');
	const char *made = brace ? arena_memdup(&site->arena, path, (size_t)(brace - path)) : path;

	for (; brace; path = strchr(brace, '}') + 1, brace = strchr(path, '{')) {
		const char *value = strncmp(brace, "{conversation_id}", 17) == 0 ? site->place.conversation_id
				    : strncmp(brace, "{message_id}", 12) == 0    ? site->place.message_id[0]
										 : site->place.user_id[PLACE_BOB];
		const char *after = strchr(brace, '}') + 1;

		made = arena_printf(&site->arena, "%s%s%.*s", made, value, (int)strcspn(after, "{"), after);
	}
	return made;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct site site;
	const struct route *route;
	const char *query;

	if (size == 0)
		return -1;
	if (!site.app.config)
		site_create(&site);
	site_begin(&site);
	query = arena_memdup(&site.arena, data + 1, size - 1);
	check_parsers(query);

	route = choose_route(data[0]);
	site_param(&site, "HTTP_AUTHORIZATION",
		   arena_printf(&site.arena, "Bearer %s", site.place.access_token[PLACE_ANN]));
	site_serve(&site, route->method, arena_printf(&site.arena, "%s?%s", make_path(&site, route), query), NULL, 0);
	return 0;
}
