/* What the hub owes its sockets: order, nothing twice, nothing missed in silence, with and without a bus. */
#include "support/hub_scene.h"

static void
a_record_is_passed_on_once(void **state)
{
	struct fixture *test = *state;
	size_t len;
	const char *record = say(test, "the second", &len);

	receive_record(test, record, len);
	receive_record(test, record, len);
	assert_int_equal(test->ada_session.n_frames, 2);
	assert_frame(&test->ada_session, 1, "message.created", "the second");
}

static void
early_records_wait_for_the_one_before(void **state)
{
	struct fixture *test = *state;
	size_t len_2, len_3;
	const char *second = say(test, "the second", &len_2), *third = say(test, "the third", &len_3);

	receive_record(test, third, len_3);
	assert_int_equal(test->ada_session.n_frames, 1);
	receive_record(test, second, len_2);
	assert_int_equal(test->ada_session.n_frames, 3);
	assert_frame(&test->ada_session, 1, "message.created", "the second");
	assert_frame(&test->ada_session, 2, "message.created", "the third");
}

static void
a_lost_record_is_read_from_the_database(void **state)
{
	struct fixture *test = *state;
	size_t len;

	say(test, "lost", &len);
	const char *third = say(test, "the third", &len);

	receive_record(test, third, len);
	assert_true(wait_frames(test, &test->ada_session, 2));
	assert_frame(&test->ada_session, 1, "changes", "lost");
	assert_frame(&test->ada_session, 1, "changes", "the third");
	turn(test, 200);
	assert_int_equal(test->ada_session.n_frames, 2); /* the record that waited was in the read */
}

static void
a_loss_that_nothing_follows_is_found_by_the_heads_check(void **state)
{
	struct fixture *test = *state;
	int64_t begun_ms = clock_monotonic_ms();
	size_t len;

	say(test, "lost", &len);
	assert_true(wait_frames(test, &test->ada_session, 2));
	assert_frame(&test->ada_session, 1, "changes", "lost");
	begun_ms = clock_monotonic_ms() - begun_ms;
	print_message("found after %lld ms (bound: 5000)\n", (long long)begun_ms);
	assert_true(begun_ms < 15000);
}

static void
receive_typing(struct fixture *test, const char *user_id)
{
	struct event event;
	size_t len;

	event_typing_started(&test->database.arena, test->conversation, user_id, &event);
	const char *record = event_encode(&test->database.arena, test->epoch, &event, &len);
	receive_record(test, record, len);
}

static void
what_passes_neither_waits_nor_counts(void **state)
{
	struct fixture *test = *state;
	size_t len_2, len_3;
	const char *second = say(test, "the second", &len_2), *third = say(test, "the third", &len_3);

	receive_record(test, third, len_3);
	receive_typing(test, test->grace);
	receive_typing(test, test->grace);
	assert_int_equal(test->ada_session.n_frames, 3); /* before what waits for its turn, and each time */
	assert_frame(&test->ada_session, 1, "typing.started", test->grace);
	receive_record(test, second, len_2);
	assert_int_equal(test->ada_session.n_frames, 5);
	assert_frame(&test->ada_session, 4, "message.created", "the third");
}

static void
what_passes_is_for_the_others(void **state)
{
	struct fixture *test = *state;

	receive_typing(test, test->ada);
	assert_int_equal(test->ada_session.n_frames, 1);
}

static void
what_passes_does_not_overtake_hello(void **state)
{
	static const struct hub_request nothing = {.me = -1};
	struct fixture *test = *state;
	struct session late = {.hub = test->hub};
	int64_t count;

	memcpy(late.login_id, test->grace, ID_SIZE);
	late.socket = hub_join(test->hub, &late, test->grace, &nothing, 16);
	for (int i = 0; i < 1000 && !late.greeted; i++) {
		assert_false(hub_is_member(late.socket, test->conversation, &count));
		receive_typing(test, test->ada);
		uv_run(loop_uv(test->loop), UV_RUN_ONCE);
	}
	assert_true(late.greeted);
	assert_string_equal(late.frames[0], "hello");
	receive_typing(test, test->ada);
	assert_frame(&late, late.n_frames - 1, "typing.started", test->ada);
	leave(test, &late);
}

static void
members_of_what_one_is_in(void **state)
{
	struct fixture *test = *state;
	int64_t count = 0;

	assert_true(hub_is_member(test->ada_session.socket, test->conversation, &count));
	assert_int_equal(count, 2);
	assert_false(hub_is_member(test->ada_session.socket, test->grace, &count));
	assert_false(hub_is_member(test->ada_session.socket, "", &count));
	assert_false(hub_is_member(NULL, test->conversation, &count));
}

/* A record of the conversation's stream: a membership of Ada's that has ended with this revision, or a message. */
static void
receive_made_up(struct fixture *test, bool left, int64_t rev)
{
	struct member member = {.username = "ada",
				.display_name = "Ada",
				.role = "member",
				.rev = rev,
				.left_at_ms = 1};
	struct message message = {.rev = rev, .seq = rev, .content = "not for Ada"};
	struct event event;
	size_t len;

	memcpy(member.user_id, test->ada, ID_SIZE);
	memcpy(message.id, test->conversation, ID_SIZE);
	memcpy(message.sender_id, test->grace, ID_SIZE);
	memcpy(message.conversation_id, test->conversation, ID_SIZE);
	if (left)
		event_members(&test->database.arena, "member.left", test->conversation, rev, &member, 1, &event);
	else
		event_message_created(&test->database.arena, &message, &event);
	const char *record = event_encode(&test->database.arena, test->epoch, &event, &len);
	receive_record(test, record, len);
}

/* Nothing comes in the person's stream: its record is lost. */
static void
who_has_left_hears_nothing_more(void **state)
{
	static const struct hub_request nothing = {.me = -1};
	struct fixture *test = *state;
	struct session other = {0}, graces = {0};
	int64_t count;

	join(test, &other, test->ada, &nothing);
	join(test, &graces, test->grace, &nothing);
	receive_made_up(test, true, 3);
	receive_made_up(test, false, 4);
	assert_int_equal(graces.n_frames, 3);
	assert_frame(&graces, 2, "message.created", "not for Ada");
	assert_int_equal(test->ada_session.n_frames, 2);
	assert_frame(&test->ada_session, 1, "member.left", test->ada);
	assert_int_equal(other.n_frames, 2); /* on every socket */
	assert_false(hub_is_member(other.socket, test->conversation, &count));
	leave(test, &other);
	leave(test, &graces);
}

static void
delivery_goes_on_without_a_bus(void **state)
{
	struct fixture *test = *state;
	size_t len;

	bus.events.down(bus.context, "test");
	assert_true(wait_frames(test, &test->ada_session, 2));
	assert_frame(&test->ada_session, 1, "mode", "degraded");
	say(test, "without redis", &len);
	assert_true(wait_frames(test, &test->ada_session, 3));
	assert_frame(&test->ada_session, 2, "changes", "without redis");
	bus.events.up(bus.context);
	assert_true(wait_frames(test, &test->ada_session, 4));
	assert_frame(&test->ada_session, 3, "mode", "normal");
}

static void
many_missing_rows_become_a_marker(void **state)
{
	struct fixture *test = *state;
	const char *last = NULL;
	size_t len = 0;

	for (int i = 0; i < 205; i++)
		last = say(test, "one of many", &len);
	receive_record(test, last, len);
	assert_true(wait_frames(test, &test->ada_session, 2));
	assert_frame(&test->ada_session, 1, "gap", test->conversation);
}

static void
a_record_of_another_epoch_is_dropped(void **state)
{
	struct fixture *test = *state;
	char *copy;
	size_t len;
	const char *record = say(test, "the second", &len);

	copy = arena_memdup(&test->database.arena, record, len);
	copy[0] = copy[0] == 'x' ? 'y' : 'x';
	receive_record(test, copy, len);
	assert_int_equal(test->ada_session.n_frames, 1);
}

static void
hello_tells_what_was_missed(void **state)
{
	struct fixture *test = *state;
	struct session late = {0};
	struct hub_known known = {.rev = 1};
	struct hub_request request = {.me = -1, .known = &known, .n_known = 1, .known_count = 1, .has_known = true};

	memcpy(known.conversation_id, test->conversation, ID_SIZE);
	join(test, &late, test->grace, &request);
	assert_true(wait_frames(test, &late, 2));
	assert_frame(&late, 1, "gap", "\"known_rev\":1");
	say_and_receive(test, "live");
	assert_frame(&late, 2, "message.created", "live");
	leave(test, &late);
}

static void
hello_removes_what_one_is_not_in(void **state)
{
	struct fixture *test = *state;
	struct session late = {0};
	struct hub_known known = {.rev = 3, .conversation_id = "0197c0de-0000-7000-8000-000000000000"};
	struct hub_request request = {.me = -1, .known = &known, .n_known = 1, .known_count = 1, .has_known = true};

	memcpy(known.conversation_id, test->conversation, ID_SIZE);
	add_user(test, "carol", test->grace); /* a stranger to the conversation */
	join(test, &late, test->grace, &request);
	assert_true(wait_frames(test, &late, 2));
	assert_frame(&late, 1, "conversation.removed", test->conversation);
	leave(test, &late);
}

static void
a_conversation_joined_while_connected_starts_with_a_snapshot(void **state)
{
	static const struct hub_request nothing = {.me = -1};
	struct fixture *test = *state;
	struct session carol = {0};
	size_t len;

	add_user(test, "carol", test->grace);
	join(test, &carol, test->grace, &nothing);
	say(test, "the first to carol",
	    &len); /* its records are lost: the heads check finds the person's stream ahead */
	assert_true(wait_frames(test, &carol, 3));
	assert_frame(&carol, 1, "changes", "memberships");
	assert_frame(&carol, 2, "changes", "\"snapshot\":true");
	assert_frame(&carol, 2, "changes", "the first to carol");
	say_and_receive(test, "the next");
	assert_frame(&carol, 3, "message.created", "the next");
	leave(test, &carol);
}

/* Ends Ada's log-in; its record is lost. */
static void
end_log_in(struct fixture *test)
{
	struct write_session write = {.op.kind = WRITE_REVOKE_SESSION};

	memcpy(write.session.id, test->ada, ID_SIZE);
	memcpy(write.session.user_id, test->ada, ID_SIZE);
	check_ok(&test->database, writer_run(test->writer, &write.op));
	arena_finish(&write.op.arena);
}

static void
a_revocation_whose_record_was_lost_closes_the_socket(void **state)
{
	struct fixture *test = *state;

	bus.events.down(bus.context, "test");
	end_log_in(test);
	for (int i = 0; i < 100 && !test->ada_session.closed; i++)
		turn(test, 100);
	assert_int_equal(test->ada_session.closed, 4403);
}

static void
a_revocation_during_hello_closes_the_socket(void **state)
{
	static const struct hub_request nothing = {.me = -1};
	struct fixture *test = *state;
	struct session late = {.hub = test->hub};

	memcpy(late.login_id, test->ada, ID_SIZE);
	end_log_in(test); /* after the token was checked, before the hub reads */
	late.socket = hub_join(test->hub, &late, test->ada, &nothing, 16);
	for (int i = 0; i < 100 && !late.closed; i++)
		turn(test, 100);
	assert_int_equal(late.closed, 4403);
	assert_int_equal(late.n_frames, 0);
}

static void
markers_to_many_are_spread(void **state)
{
	static const struct hub_request nothing = {.me = -1};
	struct fixture *test = *state;
	struct session others[15] = {0};
	const char *last = NULL;
	size_t len = 0, n_delayed = 0;

	for (int i = 0; i < 15; i++)
		join(test, &others[i], test->grace, &nothing);
	for (int i = 0; i < 405; i++)
		last = say(test, "one of many", &len);
	receive_record(test, last, len);
	for (int i = 0; i < 15; i++) {
		assert_true(wait_frames(test, &others[i], 2));
		assert_frame(&others[i], 1, "gap", "\"last_rev\":407"); /* the head, in one marker */
		n_delayed += strstr(others[i].frames[1], "\"pull_after_ms\":0") == NULL;
	}
	turn(test, 200);
	assert_true(n_delayed > 0);
	assert_int_equal(others[0].n_frames, 2);
	for (int i = 0; i < 15; i++)
		leave(test, &others[i]);
}

static void
a_head_below_what_was_delivered_closes_all(void **state)
{
	struct fixture *test = *state;

	bus.events.down(bus.context, "test"); /* so that heads are asked for soon, after one comparison of all */
	turn(test, 600);
	test_database_run(&test->database,
			  "UPDATE conversations SET last_rev = last_rev - 1, change_no = change_no + 1000");
	for (int i = 0; i < 100 && !test->ada_session.closed; i++)
		turn(test, 100);
	assert_int_equal(test->ada_session.closed, 4001);
}

static void
a_database_that_has_gone_back_closes_all(void **state)
{
	struct fixture *test = *state;

	size_t len;

	say(test, "one more", &len);
	say(test, "and another", &len);
	bus.events.down(bus.context, "test");
	turn(test, 600);
	test_database_run(&test->database, "UPDATE meta SET value = '0' WHERE key = 'change_no'");
	for (int i = 0; i < 100 && !test->ada_session.closed; i++)
		turn(test, 100);
	assert_int_equal(test->ada_session.closed, 4001);
}

int
main(void)
{
#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_record_is_passed_on_once),
		CASE(early_records_wait_for_the_one_before),
		CASE(a_lost_record_is_read_from_the_database),
		CASE(a_loss_that_nothing_follows_is_found_by_the_heads_check),
		CASE(what_passes_neither_waits_nor_counts),
		CASE(what_passes_is_for_the_others),
		CASE(what_passes_does_not_overtake_hello),
		CASE(members_of_what_one_is_in),
		CASE(who_has_left_hears_nothing_more),
		CASE(delivery_goes_on_without_a_bus),
		CASE(many_missing_rows_become_a_marker),
		CASE(a_record_of_another_epoch_is_dropped),
		CASE(hello_tells_what_was_missed),
		CASE(hello_removes_what_one_is_not_in),
		CASE(a_conversation_joined_while_connected_starts_with_a_snapshot),
		CASE(markers_to_many_are_spread),
		CASE(a_revocation_whose_record_was_lost_closes_the_socket),
		CASE(a_revocation_during_hello_closes_the_socket),
		CASE(a_head_below_what_was_delivered_closes_all),
		CASE(a_database_that_has_gone_back_closes_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
