/* push/auth and session, from the upgrade to hello: who gets in, and what the others are told. */
#include "support/push_scene.h"

static void
only_auth_comes_first(void **state)
{
	(void)state;
	say("{\"id\":5,\"type\":\"ping\"}");
	expect_error("unauthorized");
	assert_int_equal(json_integer_value(json_object_get(last_out(), "reply_to")), 5);
	expect_closed(4401, "unauthorized");
}

static void
what_is_no_frame_closes(void **state)
{
	static const char *const texts[] = {"",          "x", "[]", "null", "{}", "{\"type\":7}", "{\"type\":\"auth\"",
					    "{\"id\":1}"};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		say(texts[i]);
		expect_closed(4400, "bad_frame");
		assert_int_equal(world.conn.n_out, 0);
		tear_down(NULL);
		set_up(NULL);
	}
}

static void
auth_leads_to_hello(void **state)
{
	const struct session_hello hello = {.epoch = "e2", .me = 14, .mode = "degraded", .sync_required = true};

	(void)state;
	say_auth(",\"epoch\":\"e1\",\"me\":12,\"known\":{\"" ROOM "\":57},\"known_count\":3");
	assert_false(world.conn.reading);
	assert_string_equal(world.login->user_id, USER);
	assert_string_equal(world.login->session_id, LOGIN);
	answer_login(OK);
	assert_ptr_equal(world.joined, world.session);
	assert_int_equal(world.joined_me, 12);
	assert_int_equal(world.joined_n_known, 1);
	assert_int_equal(world.joined_known_count, 3);
	assert_string_equal(world.joined_epoch, "e1");
	assert_string_equal(session_login_id(world.session), LOGIN);
	assert_int_equal(world.conn.n_out, 0);
	assert_false(world.conn.reading);
	session_greet(world.session, &hello);
	assert_true(world.conn.reading);
	assert_int_equal(json_integer_value(json_object_get(last_out(), "reply_to")), 1);
	assert_string_equal(text_of(last_out(), "type"), "hello");
	assert_string_equal(text_of(last_out(), "user_id"), USER);
	assert_string_equal(text_of(last_out(), "node"), "node-1");
	assert_string_equal(text_of(last_out(), "epoch"), "e2");
	assert_string_equal(text_of(last_out(), "mode"), "degraded");
	assert_true(json_is_true(json_object_get(last_out(), "sync_required")));
	assert_int_equal(json_integer_value(json_object_get(last_out(), "me")), 14);
	assert_in_range(json_integer_value(json_object_get(last_out(), "token_expires_in")), 598, 600);
	assert_true(id_is_valid(text_of(last_out(), "connection_id")));
}

static void
auth_without_known_says_so(void **state)
{
	(void)state;
	say_auth("");
	answer_login(OK);
	assert_int_equal(world.joined_me, -1);
	assert_int_equal(world.joined_n_known, 0);
	assert_int_equal(world.joined_known_count, 0);
	assert_string_equal(world.joined_epoch, "");
}

static void
auth_of_a_wrong_shape_closes(void **state)
{
	static const char *const more[] = {
		",\"known\":[]",
		",\"known\":{\"x\":1}",
		",\"known\":{\"" ROOM "\":-1}",
		",\"me\":\"twelve\"",
		",\"known\":{\"" ROOM "\":\"1\"}",
		",\"other\":1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
		say_auth(more[i]);
		assert_null(world.login);
		expect_error("bad_request");
		expect_closed(4400, "bad_frame");
		tear_down(NULL);
		set_up(NULL);
	}
	say("{\"type\":\"auth\"}");
	expect_error("bad_request");
	assert_true(json_is_null(json_object_get(last_out(), "reply_to")));
}

static void
at_most_so_many_are_known(void **state)
{
	char more[500 * 64];

	(void)state;
	for (int n = 500; n <= 501; n++) {
		size_t len = (size_t)snprintf(more, sizeof more, "{\"type\":\"auth\",\"token\":\"x\",\"known\":{");

		for (int i = 0; i < n; i++)
			len += (size_t)snprintf(more + len, sizeof more - len, "%s\"01890000-0000-7000-8000-%012d\":1",
						i == 0 ? "" : ",", i);
		snprintf(more + len, sizeof more - len, "}}");
		say(more);
		expect_error(n == 500 ? "token_invalid" : "bad_request");
		tear_down(NULL);
		set_up(NULL);
	}
}

static void
tokens_that_do_not_hold(void **state)
{
	char token[TOKEN_SIZE];
	char text[1024];

	(void)state;
	make_token_of(USER, LOGIN, -1, token);
	snprintf(text, sizeof text, "{\"type\":\"auth\",\"token\":\"%s\"}", token);
	say(text);
	expect_error("token_expired");
	expect_closed(4401, "token_expired");
	tear_down(NULL);
	set_up(NULL);
	say("{\"type\":\"auth\",\"token\":\"a.b.c\"}");
	expect_error("token_invalid");
	expect_closed(4401, "token_invalid");
}

static void
what_the_look_up_says(void **state)
{
	(void)state;
	say_auth("");
	answer_login(ERR_UNAUTHORIZED);
	expect_error("session_ended");
	expect_closed(4403, "session_ended");
	tear_down(NULL);
	set_up(NULL);
	say_auth("");
	answer_login(ERR_UNAVAILABLE);
	expect_error("unavailable");
	expect_closed(4003, "server_error");
	tear_down(NULL);
	set_up(NULL);
	world.hub_is_full = true;
	say_auth("");
	answer_login(OK);
	expect_error("too_many_connections");
	expect_closed(4430, "too_many_connections");
}

static void
closed_while_it_is_looked_up(void **state)
{
	(void)state;
	say_auth("");
	world.handlers.closed(world.session);
	world.session = NULL;
	answer_login(OK); /* frees what is left, joins nobody */
	assert_null(world.joined);
}

static void
closed_while_the_hub_reads(void **state)
{
	const struct session_hello hello = {.epoch = "e", .mode = "normal"};

	(void)state;
	say_auth("");
	answer_login(OK);
	session_close(world.session, 4001, "draining");
	assert_int_equal(world.n_left, 1);
	session_greet(world.session, &hello);
	assert_int_equal(world.conn.n_out, 0);
}

static void
auth_has_its_time(void **state)
{
	(void)state;
	wheel_advance(world.wheel, clock_monotonic_ms() + 4800);
	assert_int_equal(world.conn.code, 0);
	wheel_advance(world.wheel, clock_monotonic_ms() + 5200);
	expect_closed(4408, "authentication_timeout");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(only_auth_comes_first),
		SCENE(what_is_no_frame_closes),
		SCENE(auth_leads_to_hello),
		SCENE(auth_without_known_says_so),
		SCENE(auth_of_a_wrong_shape_closes),
		SCENE(at_most_so_many_are_known),
		SCENE(tokens_that_do_not_hold),
		SCENE(what_the_look_up_says),
		SCENE(closed_while_it_is_looked_up),
		SCENE(closed_while_the_hub_reads),
		SCENE(auth_has_its_time),
	};

	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
