/* sign_up, log_in, refresh_session, log_out, get_me, find_users. */
#include "fixture.h"

static struct fixture f;

static void
test_sign_up(void **state)
{
	char text[1024];

	(void)state;
	assert_int_equal(fixture_ask(&f, "POST", "/api/v1/auth/signup",
				     "{\"username\":\"Ann\",\"password\":\"12345678\"}"),
			 201);
	fixture_take(&f, "user", "username", text);
	assert_string_equal(text, "ann");
	fixture_take(&f, "user", "display_name", text);
	assert_string_equal(text, "Ann");
	fixture_take(&f, "user", "role", text);
	assert_string_equal(text, "admin");
	assert_string_equal(fixture_header(&f, "Location"), "/api/v1/users/me");

	fixture_ask(&f, "POST", "/api/v1/auth/signup", "{\"username\":\"aNN\",\"password\":\"12345678\"}");
	fixture_assert_problem(&f, 409, "username_taken");
}

static void
test_sign_up_refusals(void **state)
{
	static const struct {
		const char *body;
		int status;
		const char *code;
	} rows[] = {
		{"{\"username\":\"x\",\"password\":\"12345678\"}", 422, "username_invalid"},
		{"{\"username\":\"xyz\",\"password\":\"1234567\"}", 422, "password_too_short"},
		{"{\"username\":\"xyz\",\"password\":\"12345678\",\"display_name\":\" \"}", 422,
		 "display_name_invalid"},
		{"{\"username\":\"xyz\",\"password\":\"12345678\",\"session\":\"x\"}", 422, "session_invalid"},
		{"{\"username\":\"xyz\",\"password\":\"12345678\",\"role\":\"admin\"}", 400, "unknown_key"},
		{"{\"username\":\"xyz\"}", 400, "missing_key"},
		{"{\"username\":\"xyz\",\"password\":null}", 400, "missing_key"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int status = fixture_ask(&f, "POST", "/api/v1/auth/signup", rows[i].body);

		if (strstr(rows[i].body, "null"))
			assert_int_equal(status, 400);
		else
			fixture_assert_problem(&f, rows[i].status, rows[i].code);
	}
	f.config.auth_sign_up = "closed";
	fixture_ask(&f, "POST", "/api/v1/auth/signup", rows[0].body);
	fixture_assert_problem(&f, 403, "sign_up_closed");
	f.config.auth_sign_up = "open";
}

static void
test_log_in(void **state)
{
	static const char *const wrong[] = {
		"{\"username\":\"bob\",\"password\":\"wrong wrong\"}",
		"{\"username\":\"nobody\",\"password\":\"correct horse\"}",
		"{\"username\":\"\",\"password\":\"\"}",
	};
	struct fixture_person bob;

	(void)state;
	fixture_sign_up(&f, "bob", &bob);
	assert_int_equal(fixture_ask(&f, "POST", "/api/v1/auth/login",
				     "{\"username\":\"BOB\",\"password\":\"correct horse\"}"),
			 200);
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		fixture_ask(&f, "POST", "/api/v1/auth/login", wrong[i]);
		fixture_assert_problem(&f, 401, "bad_credentials");
	}
}

static void
refresh(const char *token)
{
	char body[1200];

	snprintf(body, sizeof body, "{\"refresh_token\":\"%s\"}", token);
	fixture_ask(&f, "POST", "/api/v1/auth/refresh", body);
}

/* A pool that takes nobody in tells who comes to it: whoever logs in has a password verified, also when there is none to
 * compare it with, or the time of an answer would tell who is here. */
static void
test_everybody_who_logs_in_is_hashed(void **state)
{
	static const char *const bodies[] = {
		"{\"username\":\"hashed\",\"password\":\"correct horse\"}",
		"{\"username\":\"hashed\",\"password\":\"wrong wrong\"}",
		"{\"username\":\"nobody\",\"password\":\"correct horse\"}",
		"{\"username\":\"no such name can be\",\"password\":\"correct horse\"}",
		"{\"username\":\"\",\"password\":\"\"}",
	};
	struct password_pool *pool = f.app.passwords, *full = password_pool_create(0, 0);
	struct fixture_person person;

	(void)state;
	fixture_sign_up(&f, "hashed", &person);
	f.app.passwords = full;
	for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
		fixture_ask(&f, "POST", "/api/v1/auth/login", bodies[i]);
		fixture_assert_problem(&f, 503, "server_busy");
	}
	f.app.passwords = pool;
	password_pool_destroy(full);
}

static void
test_refresh_rotates(void **state)
{
	struct fixture_person carol;
	char next[1024];

	(void)state;
	fixture_sign_up(&f, "carol", &carol);
	refresh(carol.refresh_token);
	assert_int_equal(f.req.http_status, 200);
	fixture_take(&f, NULL, "refresh_token", next);
	assert_string_not_equal(next, carol.refresh_token);
	refresh(next);
	assert_int_equal(f.req.http_status, 200);
	refresh("nonsense");
	assert_int_equal(f.req.http_status, 401);
	fixture_ask(&f, "POST", "/api/v1/auth/refresh", NULL);
	fixture_assert_problem(&f, 401, "refresh_token_missing");
}

static void
test_log_out(void **state)
{
	struct fixture_person dave;

	(void)state;
	fixture_sign_up(&f, "dave", &dave);
	assert_int_equal(fixture_ask_as(&f, &dave, "GET", "/api/v1/users/me", NULL), 200);
	assert_int_equal(fixture_ask_as(&f, &dave, "POST", "/api/v1/auth/logout", NULL), 204);
	assert_null(f.req.reply_bytes);
	fixture_ask_as(&f, &dave, "GET", "/api/v1/users/me", NULL);
	fixture_assert_problem(&f, 401, "session_ended");
	assert_int_equal(fixture_ask_as(&f, &dave, "POST", "/api/v1/auth/logout", "{}"), 204);
	refresh(dave.refresh_token);
	assert_int_equal(f.req.http_status, 401);
}

/* The token in the answer's cookie. */
static void
take_cookie(char ret_cookie[256])
{
	const char *header = fixture_header(&f, "Set-Cookie");

	assert_non_null(header);
	snprintf(ret_cookie, 256, "%.*s", (int)strcspn(header, ";"), header);
}

static void
test_cookie_mode(void **state)
{
	struct fixture_person erin;
	char cookie[256];

	(void)state;
	fixture_sign_up(&f, "erin", &erin);
	fixture_ask(&f, "POST", "/api/v1/auth/login",
		    "{\"username\":\"erin\",\"password\":\"correct horse\",\"session\":\"cookie\"}");
	assert_int_equal(f.req.http_status, 200);
	assert_null(strstr(f.req.reply_bytes, "refresh_token"));
	take_cookie(cookie);

	fixture_param(&f, "HTTP_COOKIE", cookie);
	fixture_param(&f, "HTTP_ORIGIN", "https://evil.example");
	fixture_ask(&f, "POST", "/api/v1/auth/refresh", NULL);
	fixture_assert_problem(&f, 403, "origin_not_allowed");

	fixture_param(&f, "HTTP_COOKIE", cookie);
	assert_int_equal(fixture_ask(&f, "POST", "/api/v1/auth/refresh", "{}"), 200);
	take_cookie(cookie);
	fixture_param(&f, "HTTP_COOKIE", cookie);
	assert_int_equal(fixture_ask(&f, "POST", "/api/v1/auth/logout", NULL), 204);
	assert_memory_equal(fixture_header(&f, "Set-Cookie"), "stonechat_refresh_8080=;", 24);
	fixture_param(&f, "HTTP_COOKIE", cookie);
	assert_int_equal(fixture_ask(&f, "POST", "/api/v1/auth/refresh", NULL), 401);
}

static void
test_find_users(void **state)
{
	struct fixture_person finder, other;
	char cursor[1024], uri[1200];

	(void)state;
	fixture_sign_up(&f, "finder", &finder);
	fixture_sign_up(&f, "findee", &other);
	assert_int_equal(fixture_ask_as(&f, &finder, "GET", "/api/v1/users?query=FIND&limit=1", NULL), 200);
	fixture_take(&f, NULL, "next_cursor", cursor);
	snprintf(uri, sizeof uri, "/api/v1/users?query=find&limit=1&cursor=%s", cursor);
	assert_int_equal(fixture_ask_as(&f, &finder, "GET", uri, NULL), 200);
	CLEANUP_JSON json_t *answer = fixture_answer(&f);
	assert_int_equal(json_array_size(json_object_get(answer, "items")), 1);
	assert_true(json_is_null(json_object_get(answer, "next_cursor")));

	static const struct {
		const char *uri;
		int status;
		const char *code;
	} rows[] = {
		{"/api/v1/users", 400, "parameter_missing"},
		{"/api/v1/users?query=", 422, "out_of_range"},
		{"/api/v1/users?query=a&limit=0", 422, "out_of_range"},
		{"/api/v1/users?query=a&limit=-5", 422, "out_of_range"},
		{"/api/v1/users?query=a&limit=1.5", 400, "not_a_number"},
		{"/api/v1/users?query=a&limit=1&limit=1", 400, "parameter_repeated"},
		{"/api/v1/users?query=a&cursor=x", 400, "cursor_invalid"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		fixture_ask_as(&f, &finder, "GET", rows[i].uri, NULL);
		fixture_assert_problem(&f, rows[i].status, rows[i].code);
	}
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
		cmocka_unit_test(test_sign_up), /* first: the first person becomes the administrator */
		cmocka_unit_test(test_sign_up_refusals),
		cmocka_unit_test(test_log_in),
		cmocka_unit_test(test_everybody_who_logs_in_is_hashed),
		cmocka_unit_test(test_refresh_rotates),
		cmocka_unit_test(test_log_out),
		cmocka_unit_test(test_cookie_mode),
		cmocka_unit_test(test_find_users),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
