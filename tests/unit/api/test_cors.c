/* What a page of another origin is told: on answers of every kind, and before it sends something. */
#include "fixture.h"

static struct fixture f;
static const char *origins[] = {"https://client.example", "http://localhost:3000", NULL};

static const char listed[] = "https://client.example";
static const char unknown[] = "https://evil.example";

static int
ask_from(const char *origin, const char *method, const char *uri, const char *body)
{
	if (origin)
		fixture_param(&f, "HTTP_ORIGIN", origin);
	return fixture_ask(&f, method, uri, body);
}

static void
assert_no_permission(void)
{
	static const char prefix[] = "Access-Control-";

	for (size_t i = 0; i < f.req.n_headers; i++)
		assert_int_not_equal(strncmp(f.req.headers[i].name, prefix, sizeof prefix - 1), 0);
}

static void
test_a_listed_page_reads_every_answer(void **state)
{
	static const struct {
		const char *method, *uri, *body;
		int status;
	} rows[] = {
		{"GET", "/healthz", NULL, 200},
		{"HEAD", "/healthz", NULL, 200},
		{"GET", "/readyz", NULL, 503},
		{"POST", "/api/v1/auth/login", "[]", 400},
		{"GET", "/api/v1/users/me", NULL, 401},
		{"GET", "/api/v1/nothing", NULL, 404},
		{"OPTIONS", "/api/v1/nothing", NULL, 404},
		{"PUT", "/api/v1/auth/login", NULL, 405},
		{"POST", "/api/v1/auth/login", NULL, 415},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(ask_from(listed, rows[i].method, rows[i].uri, rows[i].body), rows[i].status);
		assert_string_equal(fixture_header(&f, "Access-Control-Allow-Origin"), listed);
		assert_string_equal(fixture_header(&f, "Vary"), "Origin");
		assert_non_null(strstr(fixture_header(&f, "Access-Control-Expose-Headers"), "X-Request-Id"));
		assert_null(fixture_header(&f, "Access-Control-Allow-Credentials"));
	}
}

static void
test_a_body_over_the_limit(void **state)
{
	static char body[8200];

	(void)state;
	memset(body, ' ', sizeof body - 1);
	assert_int_equal(ask_from(listed, "POST", "/api/v1/auth/login", body), 413);
	assert_string_equal(fixture_header(&f, "Access-Control-Allow-Origin"), listed);
}

static void
test_the_origin_comes_back_as_the_page_has_it(void **state)
{
	(void)state;
	ask_from("http://LOCALHOST:3000", "GET", "/healthz", NULL);
	assert_string_equal(fixture_header(&f, "Access-Control-Allow-Origin"), "http://LOCALHOST:3000");
}

static void
test_an_unknown_page_is_told_nothing(void **state)
{
	static const char *const strangers[] = {unknown, "null", "https://client.example.evil", "http://client.example",
						"*"};

	(void)state;
	for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++) {
		assert_int_equal(ask_from(strangers[i], "GET", "/healthz", NULL), 200);
		assert_no_permission();
		assert_string_equal(fixture_header(&f, "Vary"), "Origin");
		fixture_param(&f, "HTTP_ACCESS_CONTROL_REQUEST_METHOD", "POST");
		assert_int_equal(ask_from(strangers[i], "OPTIONS", "/api/v1/auth/login", NULL), 204);
		assert_no_permission();
	}
}

static void
test_without_an_origin_nothing_changes(void **state)
{
	(void)state;
	assert_int_equal(ask_from(NULL, "GET", "/healthz", NULL), 200);
	assert_no_permission();
	assert_null(fixture_header(&f, "Vary"));
}

static void
test_without_settings_nobody_is_listed(void **state)
{
	static const char *none[] = {NULL};

	(void)state;
	for (int i = 0; i < 2; i++) {
		f.config.public_origins = i ? none : NULL;
		assert_int_equal(ask_from(listed, "GET", "/healthz", NULL), 200);
		assert_no_permission();
		assert_null(fixture_header(&f, "Vary"));
	}
	f.config.public_origins = origins;
}

static void
test_a_browser_asks_first(void **state)
{
	(void)state;
	fixture_param(&f, "HTTP_ACCESS_CONTROL_REQUEST_METHOD", "POST");
	fixture_param(&f, "HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "authorization,content-type");
	assert_int_equal(ask_from(listed, "OPTIONS", "/api/v1/conversations/x/messages", NULL), 204);
	assert_null(f.req.reply_bytes);
	assert_string_equal(fixture_header(&f, "Access-Control-Allow-Origin"), listed);
	assert_string_equal(fixture_header(&f, "Access-Control-Allow-Methods"), "GET, HEAD, POST, OPTIONS");
	assert_string_equal(fixture_header(&f, "Access-Control-Allow-Headers"),
			    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-Id");
	assert_int_equal(atol(fixture_header(&f, "Access-Control-Max-Age")), 7200);
	assert_null(fixture_header(&f, "Access-Control-Allow-Credentials"));
}

static void
test_options_that_no_browser_asks(void **state)
{
	(void)state;
	assert_int_equal(ask_from(listed, "OPTIONS", "/api/v1/auth/login", NULL), 204);
	assert_string_equal(fixture_header(&f, "Allow"), "POST, OPTIONS");
	assert_null(fixture_header(&f, "Access-Control-Allow-Methods"));
}

static int
set_up(void **state)
{
	(void)state;
	fixture_set_up(&f);
	f.config.public_origins = origins;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	fixture_tear_down(&f);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_listed_page_reads_every_answer),
		cmocka_unit_test(test_a_body_over_the_limit),
		cmocka_unit_test(test_the_origin_comes_back_as_the_page_has_it),
		cmocka_unit_test(test_an_unknown_page_is_told_nothing),
		cmocka_unit_test(test_without_an_origin_nothing_changes),
		cmocka_unit_test(test_without_settings_nobody_is_listed),
		cmocka_unit_test(test_a_browser_asks_first),
		cmocka_unit_test(test_options_that_no_browser_asks),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
