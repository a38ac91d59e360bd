/* push/events, sends and session on a live socket: what frames are answered with, in which order, and when reading stops. */
#include "support/push_scene.h"

static void
mistakes_are_answered_and_the_socket_stays(void **state)
{
	static const char *const texts[] = {
		"{\"id\":2,\"type\":\"no.such\"}",
		"{\"id\":2,\"type\":\"ping\",\"more\":1}",
		"{\"id\":2,\"type\":\"auth\",\"token\":\"x\"}",
		"{\"id\":2,\"type\":\"auth.refresh\"}",
		"{\"id\":2,\"type\":\"message.send\",\"content\":\"x\"}",
		"{\"id\":2,\"type\":\"message.send\",\"conversation_id\":\"" ROOM "\"}",
		"{\"id\":2,\"type\":\"message.send\",\"recipient_id\":\"x\",\"content\":\"x\"}",
		"{\"id\":2,\"type\":\"message.send\",\"conversation_id\":\"" ROOM "\",\"recipient_id\":\"" OTHER
		"\",\"content\":\"x\"}",
		"{\"id\":2,\"type\":\"message.send\",\"conversation_id\":\"" ROOM
		"\",\"message_id\":\"1\",\"content\":\"x\"}",
		"{\"id\":2,\"type\":\"message.send\",\"conversation_id\":\"" ROOM "\",\"content\":7}",
	};

	(void)state;
	go_live();
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		say(texts[i]);
		expect_error("bad_request");
		assert_int_equal(json_integer_value(json_object_get(last_out(), "reply_to")), 2);
		assert_int_equal(world.conn.n_out, i + 2);
	}
	assert_int_equal(world.conn.code, 0);
	assert_int_equal(world.n_in_flight, 0);
}

static void
ids_are_given_back(void **state)
{
	(void)state;
	go_live();
	say("{\"id\":\"a-b\",\"type\":\"ping\"}");
	assert_string_equal(text_of(last_out(), "reply_to"), "a-b");
	assert_string_equal(text_of(last_out(), "type"), "pong");
	say("{\"type\":\"ping\"}");
	assert_true(json_is_null(json_object_get(last_out(), "reply_to")));
	assert_true(json_is_true(json_object_get(last_out(), "ok")));
	say("{\"id\":{},\"type\":\"ping\"}");
	expect_error("bad_request");
	say("{\"id\":\"01234567890123456789012345678901234567890123456789012345678901234\",\"type\":\"ping\"}");
	expect_error("bad_request");
}

static void
refresh_takes_the_same_log_in_only(void **state)
{
	char token[TOKEN_SIZE];
	char text[1024];

	(void)state;
	go_live();
	make_token_of(USER, LOGIN, 900, token);
	snprintf(text, sizeof text, "{\"id\":3,\"type\":\"auth.refresh\",\"token\":\"%s\"}", token);
	say(text);
	assert_true(json_is_true(json_object_get(last_out(), "ok")));
	assert_in_range(json_integer_value(json_object_get(last_out(), "token_expires_in")), 898, 900);
	make_token_of(USER, OTHER, 900, token);
	snprintf(text, sizeof text, "{\"id\":3,\"type\":\"auth.refresh\",\"token\":\"%s\"}", token);
	say(text);
	expect_error("other_session");
	make_token_of(OTHER, LOGIN, 900, token);
	snprintf(text, sizeof text, "{\"id\":3,\"type\":\"auth.refresh\",\"token\":\"%s\"}", token);
	say(text);
	expect_error("other_session");
	say("{\"id\":3,\"type\":\"auth.refresh\",\"token\":\"x\"}");
	expect_error("token_invalid");
	assert_int_equal(world.conn.code, 0);
}

static void
say_send(int id)
{
	char text[256];

	snprintf(text, sizeof text,
		 "{\"id\":%d,\"type\":\"message.send\",\"conversation_id\":\"" ROOM "\",\"content\":\"n%d\"}", id, id);
	say(text);
}

static void
a_send_carries_what_was_said(void **state)
{
	(void)state;
	go_live();
	say("{\"id\":2,\"type\":\"message.send\",\"recipient_id\":\"" OTHER
	    "\",\"message_id\":\"01890000-0000-7000-8000-00000000ABCD\",\"content\":\"hi\",\"reply_to_id\":\"" ROOM
	    "\"}");
	assert_int_equal(world.n_in_flight, 1);
	assert_string_equal(world.in_flight[0]->draft.sender_id, USER);
	assert_string_equal(world.in_flight[0]->draft.recipient_id, OTHER);
	assert_string_equal(world.in_flight[0]->draft.conversation_id, "");
	assert_string_equal(world.in_flight[0]->draft.id, "01890000-0000-7000-8000-00000000abcd");
	assert_string_equal(world.in_flight[0]->draft.id_key, "message_id");
	assert_string_equal(world.in_flight[0]->draft.content, "hi");
	assert_string_equal(world.in_flight[0]->draft.reply_to_id, ROOM);
	world.in_flight[0]->result = SUBMIT_REPLAYED;
	finish_send(0, OK);
	assert_int_equal(json_integer_value(json_object_get(last_out(), "rev")), 100);
	assert_true(json_is_true(json_object_get(last_out(), "replayed")));
	assert_string_equal(text_of(json_object_get(last_out(), "message"), "content"), "hi");
}

static void
replies_keep_the_order_of_the_requests(void **state)
{
	(void)state;
	go_live();
	for (int id = 10; id < 13; id++)
		say_send(id);
	world.refusal = ERR_NOT_FOUND;
	say_send(13); /* refused at once, answered in its turn */
	finish_send(2, OK);
	finish_send(1, ERR_CONFLICT);
	assert_int_equal(world.conn.n_out, 1);
	finish_send(0, OK);
	assert_int_equal(world.conn.n_out, 5);
	for (int i = 1; i < 5; i++)
		assert_int_equal(json_integer_value(json_object_get(world.conn.out[i], "reply_to")), 9 + i);
	assert_string_equal(text_of(json_object_get(world.conn.out[2], "error"), "code"), "id_reused");
	expect_error("conversation_not_found");
	assert_null(json_object_get(world.conn.out[1], "replayed"));
}

/* Also of what never becomes a message or a change. */
static void
refusals_of_a_shape_wait_for_their_turn(void **state)
{
	static const char *const frames[] = {
		"{\"id\":11,\"type\":\"message.send\",\"conversation_id\":\"x\",\"content\":\"hi\"}",
		"{\"id\":12,\"type\":\"message.edit\",\"conversation_id\":\"x\",\"surprise\":\"hi\"}",
	};

	(void)state;
	go_live();
	say_send(10);
	for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++)
		say(frames[i]);
	assert_int_equal(world.conn.n_out, 1);
	finish_send(0, OK);
	assert_int_equal(world.conn.n_out, 4);
	for (int i = 1; i < 4; i++)
		assert_int_equal(json_integer_value(json_object_get(world.conn.out[i], "reply_to")), 9 + i);
	assert_string_equal(text_of(json_object_get(world.conn.out[2], "error"), "code"), "conversation_not_found");
	assert_string_equal(text_of(json_object_get(world.conn.out[3], "error"), "field"), "surprise");
	expect_error("bad_request");
}

/* Those behind it have nobody to be answered to any more. */
static void
a_log_in_that_has_ended_closes_its_socket(void **state)
{
	(void)state;
	go_live();
	say_send(10);
	say_send(11);
	finish_send(0, ERR_UNAUTHORIZED);
	assert_int_equal(world.conn.n_out, 2);
	assert_int_equal(json_integer_value(json_object_get(last_out(), "reply_to")), 10);
	expect_closed(4403, "session_ended");
	finish_send(1, OK);
	assert_int_equal(world.conn.n_out, 2);
}

static void
nothing_inside_is_shown(void **state)
{
	(void)state;
	go_live();
	say_send(2);
	finish_send(0, ERR_INTERNAL);
	expect_error("internal");
	assert_null(strstr(text_of(json_object_get(last_out(), "error"), "detail"), "another message"));
}

static void
with_64_in_flight_it_is_not_read(void **state)
{
	(void)state;
	go_live();
	for (int id = 0; id < 63; id++)
		say_send(id);
	assert_true(world.conn.reading);
	say_send(63);
	assert_false(world.conn.reading);
	for (size_t i = 0; i < 32; i++)
		finish_send(i, OK);
	assert_false(world.conn.reading);
	finish_send(32, OK);
	assert_true(world.conn.reading);
	for (size_t i = 33; i < 64; i++)
		finish_send(i, OK);
	assert_int_equal(world.conn.n_out, 65);
}

static void
sends_outlive_their_socket(void **state)
{
	(void)state;
	go_live();
	say_send(2);
	say_send(3);
	finish_send(1, OK); /* waits for the first */
	session_close(world.session, 4001, "draining");
	assert_int_equal(world.n_left, 1);
	world.handlers.closed(world.session);
	world.session = NULL;
	finish_send(0, OK);
	assert_int_equal(world.conn.n_out, 1);
}

static void
what_cannot_be_written_waits(void **state)
{
	struct frame *event = frame_create("{\"type\":\"message.created\"}", 26);

	(void)state;
	go_live();
	world.conn.writable = false;
	session_send_durable(world.session, event, "c:" ROOM, 1);
	say("{\"id\":2,\"type\":\"ping\"}");
	assert_true(world.conn.wants_writable);
	assert_int_equal(world.conn.n_out, 1);
	world.conn.writable = true;
	say("{\"id\":3,\"type\":\"ping\"}"); /* may not overtake */
	assert_int_equal(world.conn.n_out, 1);
	world.handlers.writable(world.session);
	assert_int_equal(world.conn.n_out, 4);
	assert_int_equal(json_integer_value(json_object_get(world.conn.out[1], "reply_to")), 2);
	assert_int_equal(json_integer_value(json_object_get(world.conn.out[2], "reply_to")), 3);
	assert_string_equal(text_of(world.conn.out[3], "type"), "message.created");
	session_send_durable(world.session, event, "c:" ROOM, 2);
	assert_int_equal(world.conn.n_out, 5);
	frame_unref(event);
}

static void
replies_that_wait_stop_the_reading(void **state)
{
	int n = 0;

	(void)state;
	go_live();
	world.conn.writable = false;
	while (world.conn.reading && n < 5000) {
		say("{\"id\":2,\"type\":\"ping\"}");
		n++;
	}
	assert_in_range(n, LANE_CONTROL_MAX / 100, LANE_CONTROL_MAX / 30);
	world.handlers.writable(world.session);
	assert_false(world.conn.reading);
	session_close(world.session, 4008, "stalled");
}

static void
too_many_frames_are_refused(void **state)
{
	const struct session_server_options options = {
		.wheel = world.wheel,
		.token_key = &world.key,
		.node = "n",
		.rate = {1, 2},
		.auth_ms = 5000,
		.heartbeat_ms = 25000,
		.sockets_per_user = 16,
	};

	(void)state;
	world.handlers.closed(world.session);
	session_server_destroy(world.server);
	world.server = session_server_create(&options);
	world.session = world.handlers.opened(world.server, &world.conn);
	go_live();
	say("{\"id\":2,\"type\":\"ping\"}");
	assert_true(json_is_true(json_object_get(last_out(), "ok")));
	say("{\"id\":3,\"type\":\"ping\"}");
	expect_error("rate_limited");
	assert_int_equal(json_integer_value(json_object_get(last_out(), "reply_to")), 3);
	assert_true(json_is_true(json_object_get(json_object_get(last_out(), "error"), "retryable")));
	assert_in_range(json_integer_value(json_object_get(json_object_get(last_out(), "error"), "retry_after_ms")), 1,
			1000);
}

static void
everybody_is_closed_when_it_drains(void **state)
{
	(void)state;
	go_live();
	session_server_close_all(world.server, WS_DRAINING, "draining");
	expect_closed(4001, "draining");
	assert_int_equal(world.n_left, 1);
	say("{\"id\":2,\"type\":\"ping\"}");
	assert_int_equal(world.conn.n_out, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(mistakes_are_answered_and_the_socket_stays),
		SCENE(ids_are_given_back),
		SCENE(refresh_takes_the_same_log_in_only),
		SCENE(a_send_carries_what_was_said),
		SCENE(replies_keep_the_order_of_the_requests),
		SCENE(refusals_of_a_shape_wait_for_their_turn),
		SCENE(a_log_in_that_has_ended_closes_its_socket),
		SCENE(nothing_inside_is_shown),
		SCENE(with_64_in_flight_it_is_not_read),
		SCENE(sends_outlive_their_socket),
		SCENE(what_cannot_be_written_waits),
		SCENE(replies_that_wait_stop_the_reading),
		SCENE(too_many_frames_are_refused),
		SCENE(everybody_is_closed_when_it_drains),
	};

	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
