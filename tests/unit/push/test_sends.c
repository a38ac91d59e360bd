/* push/sends with all that can stand in the line: messages and changes of them. */
#include "support/push_scene.h"

#define MESSAGE "01890000-0000-7000-8000-000000000005"
#define WHERE "\"conversation_id\":\"" ROOM "\",\"message_id\":\"" MESSAGE "\""

static void
say_send(const char *id)
{
	char text[256];

	snprintf(text, sizeof text,
		 "{\"id\":%s,\"type\":\"message.send\",\"conversation_id\":\"" ROOM "\",\"content\":\"x\"}", id);
	say(text);
}

/* `id` is JSON, or "" for a frame without one. */
static void
a_change_carries_what_was_said(void **state)
{
	static const struct {
		const char *text;
		enum message_action action;
		const char *content, *emoji;
	} cases[] = {
		{"{\"id\":2,\"type\":\"message.edit\"," WHERE ",\"content\":\"hi\"}", MESSAGE_EDIT, "hi", NULL},
		{"{\"id\":2,\"type\":\"message.delete\"," WHERE "}", MESSAGE_DELETE, NULL, NULL},
		{"{\"id\":2,\"type\":\"reaction.add\"," WHERE ",\"emoji\":\"\xe2\x98\x95\"}", MESSAGE_REACT, NULL,
		 "\xe2\x98\x95"},
		{"{\"id\":2,\"type\":\"reaction.remove\"," WHERE ",\"emoji\":\"\xe2\x98\x95\"}", MESSAGE_UNREACT, NULL,
		 "\xe2\x98\x95"},
	};

	(void)state;
	go_live();
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct message_change *change;

		say(cases[i].text);
		assert_int_equal(world.n_changes, i + 1);
		change = &world.changes[i]->change;
		assert_int_equal(change->action, cases[i].action);
		assert_string_equal(change->conversation_id, ROOM);
		assert_string_equal(change->message_id, MESSAGE);
		assert_string_equal(change->actor_id, USER);
		assert_string_equal(change->session_id, LOGIN);
		assert_int_equal(change->if_match_rev, MESSAGE_ANY_REV);
		if (cases[i].content != NULL)
			assert_string_equal(change->content, cases[i].content);
		if (cases[i].emoji != NULL)
			assert_string_equal(change->emoji, cases[i].emoji);
		finish_change(i, OK, i % 2 == 1);
		assert_int_equal(json_integer_value(json_object_get(last_out(), "rev")), 200 + (int)i);
		assert_int_equal(json_is_true(json_object_get(last_out(), "unchanged")), i % 2 == 1);
	}
}

static void
what_is_no_id_names_nothing(void **state)
{
	(void)state;
	go_live();
	say("{\"id\":2,\"type\":\"message.delete\",\"conversation_id\":\"" ROOM
	    "0\",\"message_id\":\"01890000\\u0020\"}");
	assert_string_equal(world.changes[0]->change.conversation_id, "");
	assert_string_equal(world.changes[0]->change.message_id, "");
	finish_change(0, ERR_NOT_FOUND, false);
}

static void
wrong_shapes_are_refused(void **state)
{
	static const char *const texts[] = {
		"{\"id\":2,\"type\":\"message.edit\"," WHERE "}",
		"{\"id\":2,\"type\":\"message.edit\"," WHERE ",\"content\":7}",
		"{\"id\":2,\"type\":\"message.delete\"," WHERE ",\"content\":\"x\"}",
		"{\"id\":2,\"type\":\"message.delete\",\"conversation_id\":\"" ROOM "\"}",
		"{\"id\":2,\"type\":\"reaction.add\"," WHERE ",\"content\":\"x\"}",
		"{\"id\":2,\"type\":\"reaction.remove\"," WHERE "}",
	};

	(void)state;
	go_live();
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		say(texts[i]);
		expect_error("bad_request");
		assert_int_equal(world.conn.n_out, i + 2);
	}
	assert_int_equal(world.n_changes, 0);
}

static void
all_kinds_are_answered_in_the_order_of_their_frames(void **state)
{
	(void)state;
	go_live();
	say_send("10");
	say("{\"id\":11,\"type\":\"message.edit\"," WHERE ",\"content\":\"hi\"}");
	say("{\"id\":12,\"type\":\"message.delete\"," WHERE "}");
	say_send("13");
	finish_send(1, OK);
	finish_change(1, ERR_FORBIDDEN, false);
	finish_change(0, OK, false);
	assert_int_equal(world.conn.n_out, 1);
	finish_send(0, OK);
	assert_int_equal(world.conn.n_out, 5);
	for (int i = 1; i < 5; i++)
		assert_int_equal(json_integer_value(json_object_get(world.conn.out[i], "reply_to")), 9 + i);
	assert_string_equal(text_of(json_object_get(world.conn.out[3], "error"), "code"), "not_sender");
}

static void
all_kinds_outlive_their_socket(void **state)
{
	(void)state;
	go_live();
	say("{\"id\":2,\"type\":\"message.delete\"," WHERE "}");
	say_send("3");
	session_close(world.session, 4001, "draining");
	world.handlers.closed(world.session);
	world.session = NULL;
	finish_change(0, OK, false);
	finish_send(0, OK);
	assert_int_equal(world.conn.n_out, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(a_change_carries_what_was_said), SCENE(what_is_no_id_names_nothing),
		SCENE(wrong_shapes_are_refused),       SCENE(all_kinds_are_answered_in_the_order_of_their_frames),
		SCENE(all_kinds_outlive_their_socket),
	};

	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
