/* push/receipts, cursors and typing: what is written and told of typing and cursors, how often, and who is answered when. */
#include "support/push_scene.h"

#include "cursors.h"
#include "typing.h"

#define OTHER_ROOM "01890000-0000-7000-8000-000000000005"

/* `id` with its key or "". */
static void
say_cursor(const char *id, const char *type, const char *room, int seq)
{
	char text[256];

	snprintf(text, sizeof text, "{%s%s\"type\":\"%s\",\"conversation_id\":\"%s\",\"seq\":%d}", id, id[0] ? "," : "",
		 type, room, seq);
	say(text);
}

static void
say_typing(const char *room)
{
	char text[256];

	snprintf(text, sizeof text, "{\"type\":\"typing.start\",\"conversation_id\":\"%s\"}", room);
	say(text);
}

static void
pass_time(int64_t ms)
{
	static int64_t passed_ms;

	passed_ms += ms;
	wheel_advance(world.wheel, clock_monotonic_ms() + passed_ms);
}

static void
typing_is_told_to_the_conversation(void **state)
{
	(void)state;
	go_live();
	say_typing(ROOM);
	assert_int_equal(world.n_published, 1);
	assert_string_equal(world.published_to, "c:" ROOM);
	assert_string_equal(world.published,
			    "e1 0 typing.started " USER " - 0\n"
			    "{\"type\":\"typing.started\",\"conversation_id\":\"" ROOM "\",\"user_id\":\"" USER "\"}");
	assert_int_equal(world.conn.n_out, 1); /* no id, no reply */
	say("{\"id\":2,\"type\":\"typing.start\",\"conversation_id\":\"" ROOM "\"}");
	assert_true(json_is_true(json_object_get(last_out(), "ok")));
	assert_int_equal(world.n_published, 1); /* within three seconds */
}

static void
typing_is_for_members_of_what_is_not_large(void **state)
{
	(void)state;
	go_live();
	say("{\"id\":2,\"type\":\"typing.start\",\"conversation_id\":\"" OTHER_ROOM "\"}");
	expect_error("conversation_not_found");
	say("{\"id\":3,\"type\":\"typing.start\",\"conversation_id\":\"x\"}");
	expect_error("conversation_not_found");
	say("{\"id\":4,\"type\":\"typing.start\",\"conversation_id\":7}");
	expect_error("bad_request");
	say("{\"id\":5,\"type\":\"typing.start\",\"conversation_id\":\"" ROOM "\",\"seq\":1}");
	expect_error("bad_request");
	world.member_count = 251;
	say("{\"id\":6,\"type\":\"typing.start\",\"conversation_id\":\"" ROOM "\"}");
	assert_true(json_is_true(json_object_get(last_out(), "ok")));
	assert_int_equal(world.n_published, 0);
}

static void
typing_is_said_once_in_three_seconds(void **state)
{
	struct typing *typing = typing_create();

	(void)state;
	assert_true(typing_take(typing, ROOM, USER, 1000));
	assert_false(typing_take(typing, ROOM, USER, 1000 + TYPING_RESEND_MS - 1));
	assert_true(typing_take(typing, OTHER_ROOM, USER, 2000));
	assert_true(typing_take(typing, ROOM, OTHER_ROOM, 2000));
	assert_true(typing_take(typing, ROOM, USER, 1000 + TYPING_RESEND_MS));
	assert_false(typing_take(typing, OTHER_ROOM, USER, 1000 + TYPING_RESEND_MS));
	typing_destroy(typing);
}

static void
the_first_cursor_goes_at_once_and_the_rest_of_a_second_together(void **state)
{
	(void)state;
	go_live();
	say_cursor("", "read.update", ROOM, 1);
	assert_int_equal(world.n_marks, 1);
	assert_string_equal(world.marks[0]->conversation_id, ROOM);
	assert_string_equal(world.marks[0]->user_id, USER);
	assert_string_equal(world.marks[0]->session_id, LOGIN);
	assert_int_equal(world.marks[0]->seq, 1);
	finish_mark(0, OK);
	for (int seq = 2; seq < 40; seq++)
		say_cursor(seq == 30 ? "\"id\":30" : "", "read.update", ROOM, seq);
	say_cursor("\"id\":31", "delivered.update", ROOM, 45);
	say_cursor("", "read.update", ROOM, 3); /* a lower one takes nothing back */
	assert_int_equal(world.n_marks, 1);
	say_cursor("", "read.update", OTHER_ROOM, 1); /* has a second of its own */
	assert_int_equal(world.n_marks, 2);
	pass_time(CURSORS_EVERY_MS + 200);
	assert_int_equal(world.n_marks, 3);
	assert_int_equal(world.marks[2]->seq, 39);
	assert_int_equal(world.marks[2]->delivered_seq, 45);
	finish_mark(2, OK);
	assert_int_equal(world.conn.n_out, 3);
	assert_int_equal(json_integer_value(json_object_get(world.conn.out[1], "reply_to")), 30);
	assert_int_equal(json_integer_value(json_object_get(world.conn.out[1], "read_seq")), 39);
	assert_int_equal(json_integer_value(json_object_get(world.conn.out[1], "me")), 302);
	assert_int_equal(json_integer_value(json_object_get(world.conn.out[2], "reply_to")), 31);
	assert_int_equal(json_integer_value(json_object_get(world.conn.out[2], "delivered_seq")), 45);
	finish_mark(1, OK);
	pass_time(2 * CURSORS_EVERY_MS);
	assert_int_equal(world.n_marks, 3);
}

static void
what_comes_during_a_slow_write_waits_for_it(void **state)
{
	(void)state;
	go_live();
	say_cursor("", "read.update", ROOM, 1);
	say_cursor("", "read.update", ROOM, 2);
	pass_time(CURSORS_EVERY_MS + 200);
	assert_int_equal(world.n_marks, 1);
	finish_mark(0, OK);
	assert_int_equal(world.n_marks, 2);
	assert_int_equal(world.marks[1]->seq, 2);
	finish_mark(1, OK);
}

static void
a_place_that_is_not_there_takes_no_other_along(void **state)
{
	(void)state;
	go_live();
	say_cursor("", "read.update", ROOM, 1);
	finish_mark(0, OK);
	say_cursor("\"id\":2", "read.update", ROOM, 20);
	say_cursor("\"id\":3", "read.update", ROOM, 99);
	pass_time(CURSORS_EVERY_MS + 200);
	assert_int_equal(world.marks[1]->seq, 99);
	finish_mark(1, ERR_INVALID);
	expect_error("bad_request");
	assert_int_equal(json_integer_value(json_object_get(last_out(), "reply_to")), 3);
	pass_time(CURSORS_EVERY_MS + 200);
	assert_int_equal(world.n_marks, 3);
	assert_int_equal(world.marks[2]->seq, 20);
	finish_mark(2, OK);
	assert_int_equal(json_integer_value(json_object_get(last_out(), "reply_to")), 2);
	assert_true(json_is_true(json_object_get(last_out(), "ok")));
}

static void
wrong_cursors_are_refused_when_they_have_an_id(void **state)
{
	(void)state;
	go_live();
	say("{\"id\":2,\"type\":\"read.update\",\"conversation_id\":\"" ROOM "\"}");
	expect_error("bad_request");
	say("{\"id\":2,\"type\":\"read.update\",\"conversation_id\":\"" ROOM "\",\"seq\":\"1\"}");
	expect_error("bad_request");
	say_cursor("\"id\":2", "delivered.update", ROOM, -1);
	expect_error("bad_request");
	say_cursor("", "read.update", ROOM, -1);
	say("{\"type\":\"read.update\",\"seq\":7}");
	assert_int_equal(world.conn.n_out, 4);
	assert_int_equal(world.n_marks, 0);
	say_cursor("\"id\":3", "read.update", "no-room", 1);
	assert_string_equal(world.marks[0]->conversation_id, "");
	finish_mark(0, ERR_NOT_FOUND);
	assert_int_equal(json_integer_value(json_object_get(last_out(), "reply_to")), 3);
	world.refusal = ERR_UNAVAILABLE;
	say_cursor("\"id\":4", "read.update", ROOM, 1);
	expect_error("server_busy");
}

static void
many_unanswered_cursors_hold_back_reading(void **state)
{
	(void)state;
	go_live();
	for (int i = 0; i < 64; i++)
		say_cursor("\"id\":2", "read.update", ROOM, 1);
	assert_false(world.conn.reading);
	finish_mark(0, OK);
	assert_true(world.conn.n_out == 2);
	pass_time(CURSORS_EVERY_MS + 200);
	finish_mark(1, OK);
	assert_true(world.conn.reading);
	for (int i = 0; i < 200; i++)
		say_cursor("", "read.update", ROOM, 1);
	assert_true(world.conn.reading); /* of silent ones there is one */
	assert_int_equal(world.n_marks, 3);
	pass_time(CURSORS_EVERY_MS + 200);
	finish_mark(2, OK);
	finish_mark(3, OK);
}

static void
the_end_of_the_log_in_closes_the_socket(void **state)
{
	(void)state;
	go_live();
	say_cursor("\"id\":2", "read.update", ROOM, 1);
	say_cursor("\"id\":3", "read.update", ROOM, 2);
	finish_mark(0, ERR_UNAUTHORIZED);
	expect_closed(4403, "session_ended");
	pass_time(CURSORS_EVERY_MS + 200);
	finish_mark(1, ERR_UNAUTHORIZED);
}

static void
cursors_outlive_their_socket(void **state)
{
	(void)state;
	go_live();
	say_cursor("\"id\":2", "read.update", ROOM, 1);
	say_cursor("\"id\":3", "read.update", ROOM, 2);
	session_close(world.session, 4001, "draining");
	world.handlers.closed(world.session);
	world.session = NULL;
	session_server_flush(world.server);
	assert_int_equal(world.n_marks, 2);
	assert_int_equal(world.marks[1]->seq, 2);
	finish_mark(1, OK);
	finish_mark(0, OK);
	assert_int_equal(world.conn.n_out, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(typing_is_told_to_the_conversation),
		SCENE(typing_is_for_members_of_what_is_not_large),
		cmocka_unit_test(typing_is_said_once_in_three_seconds),
		SCENE(the_first_cursor_goes_at_once_and_the_rest_of_a_second_together),
		SCENE(what_comes_during_a_slow_write_waits_for_it),
		SCENE(a_place_that_is_not_there_takes_no_other_along),
		SCENE(wrong_cursors_are_refused_when_they_have_an_id),
		SCENE(many_unanswered_cursors_hold_back_reading),
		SCENE(the_end_of_the_log_in_closes_the_socket),
		SCENE(cursors_outlive_their_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
