/* Which pages may use the refresh cookie, and how it is found and set. */
#include "fixture.h"

#include "api/cookie.h"

static const char *origins[] = {"https://chat.example", NULL};
static const struct config config = {.port = 8080, .public_origins = origins};
static struct app app = {.config = &config};

static void
test_origin(void **state)
{
	static const struct {
		const char *params[4];
		bool allowed;
	} rows[] = {
		{{"HTTP_HOST=a:1"}, true},
		{{"HTTP_HOST=a:1", "HTTP_SEC_FETCH_SITE=same-origin"}, true},
		{{"HTTP_HOST=a:1", "HTTP_SEC_FETCH_SITE=none"}, true},
		{{"HTTP_HOST=a:1", "HTTP_SEC_FETCH_SITE=same-site"}, false},
		{{"HTTP_HOST=a:1", "HTTP_SEC_FETCH_SITE=cross-site"}, false},
		{{"HTTP_HOST=a:1", "HTTP_SEC_FETCH_SITE=cross-site", "HTTP_ORIGIN=http://a:1"}, false},
		{{"HTTP_HOST=a:1", "HTTP_ORIGIN=http://a:1"}, true},
		{{"HTTP_HOST=a:1", "HTTP_ORIGIN=https://A:1"}, true},
		{{"HTTP_HOST=a:1", "HTTP_ORIGIN=http://a:2"}, false},
		{{"HTTP_HOST=a:1", "HTTP_ORIGIN=http://a:1.evil"}, false},
		{{"HTTP_HOST=a:1", "HTTP_ORIGIN=ftp://a:1"}, false},
		{{"HTTP_HOST=a:1", "HTTP_ORIGIN=null"}, false},
		{{"HTTP_HOST=a:1", "HTTP_ORIGIN=https://chat.example"}, true},
		{{"HTTP_HOST=a:1", "HTTP_ORIGIN=http://chat.example"}, false},
		{{"HTTP_ORIGIN=http://a:1"}, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct req req = {.app = &app, .params = rows[i].params};

		assert_int_equal(cookie_check_origin(&req), rows[i].allowed ? OK : ERR_FORBIDDEN);
		if (!rows[i].allowed)
			assert_string_equal(req.fault.code, "origin_not_allowed");
	}
}

static void
test_find(void **state)
{
	static const struct {
		const char *header;
		const char *token;
	} rows[] = {
		{"HTTP_COOKIE=stonechat_refresh_8080=abc", "abc"},
		{"HTTP_COOKIE=a=b; stonechat_refresh_8080=abc; c=d", "abc"},
		{"HTTP_COOKIE=stonechat_refresh_8081=other; stonechat_refresh_8080=abc", "abc"},
		{"HTTP_COOKIE=stonechat_refresh_8081=other", NULL},
		{"HTTP_COOKIE=stonechat_refresh=abc", NULL},
		{"HTTP_COOKIE=xstonechat_refresh_8080=abc", NULL},
		{"HTTP_COOKIE=stonechat_refresh_80800=abc", NULL},
		{"HTTP_COOKIE=stonechat_refresh_8080=", NULL},
		{"HTTP_COOKIE=;;; ", NULL},
		{"HTTP_COOKIE=", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *params[] = {rows[i].header, NULL};
		struct req req = {.app = &app, .params = params};
		const char *token = cookie_refresh_token(&req);

		if (rows[i].token)
			assert_string_equal(token, rows[i].token);
		else
			assert_null(token);
		arena_finish(&req.arena);
	}
}

static void
test_secure_only_by_https(void **state)
{
	static const struct {
		const char *params[2];
		bool secure;
	} rows[] = {
		{{NULL}, false},
		{{"HTTPS=on"}, true},
		{{"HTTP_X_FORWARDED_PROTO=https"}, false},
		{{"HTTP_ORIGIN=https://chat.example"}, true},
		{{"HTTP_ORIGIN=https://a:1"}, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct req req = {.app = &app, .params = rows[i].params};

		cookie_set(&req, "abc", 60);
		assert_ptr_equal(strstr(req.headers[0].value, "stonechat_refresh_8080=abc; "), req.headers[0].value);
		assert_non_null(
			strstr(req.headers[0].value, "; Path=/api/v1/auth; Max-Age=60; HttpOnly; SameSite=Strict"));
		assert_int_equal(strstr(req.headers[0].value, "; Secure") != NULL, rows[i].secure);
		arena_finish(&req.arena);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_origin),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_secure_only_by_https),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
