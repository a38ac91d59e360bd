/* What every request passes before its handler: path, method, token, query, body; and what every answer carries. */
#include "fixture.h"

static struct fixture f;

static void
test_refusals(void **state)
{
	static const struct {
		const char *method, *uri, *body;
		int status;
		const char *code;
	} rows[] = {
		{"GET", "/", NULL, 404, "path_not_found"},
		{"GET", "/api/v1/users/me/", NULL, 404, "path_not_found"},
		{"GET", "/api/v1//users/me", NULL, 404, "path_not_found"},
		{"GET", "/api/v1/m%65x", NULL, 404, "path_not_found"},
		{"GET", "/api/v1/conversations/", NULL, 404, "path_not_found"},
		{"GET", "/api/v1/conversations/%00", NULL, 404, "path_not_found"},
		{"GET", "healthz", NULL, 404, "path_not_found"},
		{"POST", "/healthz", NULL, 405, "method_not_allowed"},
		{"GET", "/api/v1/auth/login", NULL, 405, "method_not_allowed"},
		{"DELETE", "/", NULL, 405, "method_not_allowed"},
		{"POST", "/api", NULL, 405, "method_not_allowed"},
		{"DELETE", "/api/", NULL, 404, "path_not_found"},
		{"OPTIONS", "/api/v1/nothing", NULL, 404, "path_not_found"},
		{"GET", "/healthz?x=1", NULL, 400, "parameter_unknown"},
		{"GET", "/healthz?%", NULL, 400, "query_malformed"},
		{"GET", "/api/v1/users/me", NULL, 401, "token_missing"},
		{"GET", "/api/v1/users?limit=x&limit=y", NULL, 401, "token_missing"},
		{"POST", "/api/v1/auth/login", "", 400, "invalid_json"},
		{"POST", "/api/v1/auth/login", "[]", 400, "invalid_json"},
		{"POST", "/api/v1/auth/login", "{}", 400, "missing_key"},
		{"POST", "/api/v1/auth/login", NULL, 415, "media_type"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		fixture_ask(&f, rows[i].method, rows[i].uri, rows[i].body);
		fixture_assert_problem(&f, rows[i].status, rows[i].code);
	}
}

static void
test_allow(void **state)
{
	static const struct {
		const char *method, *uri;
		int status;
		const char *allow;
	} rows[] = {
		{"PUT", "/api/v1/conversations/x/messages", 405, "GET, HEAD, POST, OPTIONS"},
		{"OPTIONS", "/api/v1/conversations/x/messages", 204, "GET, HEAD, POST, OPTIONS"},
		{"OPTIONS", "/api/v1/auth/login", 204, "POST, OPTIONS"},
		{"OPTIONS", "/healthz", 204, "GET, HEAD, OPTIONS"},
		{"PUT", "/", 405, "GET, HEAD, OPTIONS"},
		{"OPTIONS", "/", 204, "GET, HEAD, OPTIONS"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(fixture_ask(&f, rows[i].method, rows[i].uri, NULL), rows[i].status);
		assert_string_equal(fixture_header(&f, "Allow"), rows[i].allow);
	}
}

/* GET /api/v1/users/me also fits /api/v1/users/{user_id}. */
static void
test_a_method_of_two_patterns_is_listed_once(void **state)
{
	const char *allow;

	(void)state;
	assert_int_equal(fixture_ask(&f, "OPTIONS", "/api/v1/users/me", NULL), 204);
	allow = fixture_header(&f, "Allow");
	assert_non_null(strstr(allow, "GET"));
	assert_null(strstr(strstr(allow, "GET") + 1, "GET"));
}

static void
test_head_is_get(void **state)
{
	(void)state;
	assert_int_equal(fixture_ask(&f, "HEAD", "/healthz", NULL), 200);
}

static void
test_media_types(void **state)
{
	static const struct {
		const char *type;
		int status;
	} rows[] = {
		{"application/json;charset=utf-8", 400},
		{"Application/JSON ; x=y", 400},
		{"application/json; x=\"a;charset=utf-16\"; charset=\"UTF-8\"", 400},
		{"application/json;;", 400},
		{"application/json; charset=utf-16", 415},
		{"application/json;CHARSET=\"iso-8859-1\"", 415},
		{"application/json; x=y; charset=latin1", 415},
		{"application/json; charset=utf-8; charset=utf-16", 415},
		{"application/json; charset=", 415},
		{"application/json; charset=\"utf-16", 415},
		{"application/jsonx", 415},
		{"text/plain", 415},
		{"", 415},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		fixture_param(&f, "CONTENT_TYPE", rows[i].type);
		assert_int_equal(fixture_ask(&f, "POST", "/api/v1/auth/login", "{}"), rows[i].status);
	}
}

static void
test_content_codings(void **state)
{
	static const struct {
		const char *coding;
		int status;
	} rows[] = {{"", 400}, {"Identity", 400}, {"gzip", 415}, {"identity, gzip", 415}, {"br", 415}};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		fixture_param(&f, "HTTP_CONTENT_ENCODING", rows[i].coding);
		assert_int_equal(fixture_ask(&f, "POST", "/api/v1/auth/login", "{}"), rows[i].status);
	}
}

static void
test_too_large(void **state)
{
	static char body[8200];

	(void)state;
	memset(body, ' ', sizeof body - 1);
	fixture_ask(&f, "POST", "/api/v1/auth/login", body);
	fixture_assert_problem(&f, 413, "too_large");
}

static void
test_request_id(void **state)
{
	char long_id[66];

	(void)state;
	memset(long_id, 'x', sizeof long_id);
	long_id[64] = '\0';
	fixture_param(&f, "HTTP_X_REQUEST_ID", long_id);
	fixture_ask(&f, "GET", "/healthz", NULL);
	assert_string_equal(fixture_header(&f, "X-Request-Id"), long_id);

	static const char *const bad[] = {"", "a b", "a\"", "ü"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		fixture_param(&f, "HTTP_X_REQUEST_ID", bad[i]);
		fixture_ask(&f, "GET", "/healthz", NULL);
		assert_true(id_is_valid(fixture_header(&f, "X-Request-Id")));
	}
}

static void
test_headers_of_all(void **state)
{
	(void)state;
	fixture_ask(&f, "GET", "/healthz", NULL);
	assert_string_equal(fixture_header(&f, "Cache-Control"), "no-store");
	assert_string_equal(fixture_header(&f, "X-Content-Type-Options"), "nosniff");
	fixture_ask(&f, "GET", "/api/v1/users/me", NULL);
	assert_string_equal(fixture_header(&f, "Cache-Control"), "no-store");
	assert_memory_equal(fixture_header(&f, "WWW-Authenticate"), "Bearer", 6);
}

static void
test_readyz_names_what_fails(void **state)
{
	(void)state;
	assert_int_equal(fixture_ask(&f, "GET", "/readyz", NULL), 503);
	assert_string_equal(fixture_header(&f, "Retry-After"), "1");
	CLEANUP_JSON json_t *answer = fixture_answer(&f);
	assert_string_equal(json_string_value(json_object_get(answer, "database")), "ok");
	assert_string_equal(json_string_value(json_object_get(answer, "push")), "failed");
}

static void
test_database_down(void **state)
{
	struct fixture_person ann;

	(void)state;
	fixture_sign_up(&f, "ann", &ann);
	reader_finish(&f.reader);
	f.config.database_url = "sqlite:/nonexistent/x.db";
	fixture_ask_as(&f, &ann, "GET", "/api/v1/users/me", NULL);
	fixture_assert_problem(&f, 503, "database_unavailable");
	assert_null(strstr(f.req.reply_bytes, "nonexistent"));
	f.config.database_url = f.url;
	assert_int_equal(fixture_ask_as(&f, &ann, "GET", "/api/v1/users/me", NULL), 200);
}

static int
set_up(void **state)
{
	(void)state;
	fixture_set_up(&f);
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
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_allow),
		cmocka_unit_test(test_a_method_of_two_patterns_is_listed_once),
		cmocka_unit_test(test_head_is_get),
		cmocka_unit_test(test_media_types),
		cmocka_unit_test(test_content_codings),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_request_id),
		cmocka_unit_test(test_headers_of_all),
		cmocka_unit_test(test_readyz_names_what_fails),
		cmocka_unit_test(test_database_down),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
