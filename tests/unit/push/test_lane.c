/* push/lane: order, bounds, and what an overflow turns into. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "lane.h"

#define CONVERSATION_A "01890000-0000-7000-8000-00000000000a"
#define CONVERSATION_B "01890000-0000-7000-8000-00000000000b"
#define STREAM_A "c:" CONVERSATION_A
#define STREAM_B "c:" CONVERSATION_B
#define STREAM_ME "u:01890000-0000-7000-8000-00000000000c"

enum { KIB = 1024 };

/* A frame of `len` bytes that begins with `mark`. */
static struct frame *
make(char mark, size_t len)
{
	struct frame *frame;
	char bytes[64 * KIB];

	memset(bytes, '.', sizeof bytes);
	bytes[0] = mark;
	frame = frame_create(bytes, len);
	return frame;
}

static void
add(struct lanes *lanes, char mark, size_t len, const char *channel, int64_t rev)
{
	struct frame *frame = make(mark, len);

	lanes_add_durable(lanes, frame, channel, rev);
	frame_unref(frame);
}

static void
add_control(struct lanes *lanes, const char *text)
{
	struct frame *frame = frame_create(text, strlen(text));

	lanes_add_control(lanes, frame);
	frame_unref(frame);
}

static void
add_ephemeral(struct lanes *lanes, const char *key, const char *text)
{
	struct frame *frame = frame_create(text, strlen(text));

	lanes_add_ephemeral(lanes, frame, key);
	frame_unref(frame);
}

static void
expect_text(struct lanes *lanes, const char *text)
{
	struct frame *frame = lanes_take(lanes);

	assert_non_null(frame);
	assert_int_equal(frame->len, strlen(text));
	assert_memory_equal(frame->bytes, text, frame->len);
	frame_unref(frame);
}

/* Takes a frame that holds one gap marker. */
static void
expect_marker(struct lanes *lanes, const char *conversation_id, int64_t last_rev)
{
	struct frame *frame = lanes_take(lanes);
	json_t *json;

	assert_non_null(frame);
	json = json_loadb((const char *)frame->bytes, frame->len, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(json, "type")), "gap");
	if (conversation_id != NULL)
		assert_string_equal(json_string_value(json_object_get(json, "conversation_id")), conversation_id);
	else
		assert_null(json_object_get(json, "conversation_id"));
	assert_true(json_is_null(json_object_get(json, "known_rev")));
	assert_int_equal(json_integer_value(json_object_get(json, "last_rev")), last_rev);
	assert_in_range(json_integer_value(json_object_get(json, "pull_after_ms")), 0, LANE_SPREAD_MS - 1);
	json_decref(json);
	frame_unref(frame);
}

static void
lanes_leave_in_their_order_joined_by_newlines(void **state)
{
	struct lanes lanes = {0};

	(void)state;
	assert_true(lanes_are_empty(&lanes));
	add(&lanes, 'a', 1, STREAM_A, 1);
	add(&lanes, 'b', 1, STREAM_B, 1);
	add_control(&lanes, "one");
	add_control(&lanes, "two");
	assert_false(lanes_are_empty(&lanes));
	expect_text(&lanes, "one\ntwo");
	expect_text(&lanes, "a\nb");
	assert_null(lanes_take(&lanes));
	assert_true(lanes_are_empty(&lanes));
	lanes_finish(&lanes);
}

static void
large_frames_are_not_joined(void **state)
{
	struct lanes lanes = {0};
	static const size_t lens[] = {LANE_JOINED_MAX, 10 * KIB, 10 * KIB, 6000, 7};
	static const size_t frames[] = {LANE_JOINED_MAX, 10 * KIB, 10 * KIB + 1 + 6000, 7};

	(void)state;
	for (size_t i = 0; i < 5; i++)
		add(&lanes, 'x', lens[i], STREAM_A, (int64_t)i);
	for (size_t i = 0; i < 3; i++) {
		struct frame *frame = lanes_take(&lanes);

		assert_int_equal(frame->len, i == 2 ? frames[2] + 1 + 7 : frames[i]);
		frame_unref(frame);
	}
	assert_null(lanes_take(&lanes));
	lanes_finish(&lanes);
}

static void
an_overflow_collapses_the_oldest_stream(void **state)
{
	struct lanes lanes = {0};

	(void)state;
	add(&lanes, 'b', 20 * KIB, STREAM_B, 5);
	for (int i = 1; i <= 11; i++)
		add(&lanes, 'a', 20 * KIB, STREAM_A, i);
	assert_int_equal(lanes.n_markers, 0);
	assert_int_equal(lanes.durable.bytes, 240 * KIB);
	add(&lanes, 'a', 20 * KIB, STREAM_A, 12); /* the oldest payload is of B */
	assert_int_equal(lanes.n_markers, 1);
	assert_int_equal(lanes.durable.bytes, 240 * KIB);
	add(&lanes, 'b', 10, STREAM_B, 6); /* joins the marker */
	add(&lanes, 'a', 20 * KIB, STREAM_A, 13);
	assert_int_equal(lanes.n_markers, 2);
	assert_int_equal(lanes.durable.bytes, 0);
	assert_int_equal(lanes.durable.n_items, 2);
	add(&lanes, 'c', 30 * KIB, STREAM_ME, 3);
	{
		struct frame *frame = lanes_take(&lanes); /* both markers, joined */

		assert_non_null(strstr((char *)frame->bytes, CONVERSATION_B "\",\"known_rev\":null,\"last_rev\":6,"));
		assert_non_null(strstr((char *)frame->bytes, CONVERSATION_A "\",\"known_rev\":null,\"last_rev\":13,"));
		frame_unref(frame);
		frame = lanes_take(&lanes);
		assert_int_equal(frame->len, 30 * KIB);
		frame_unref(frame);
	}
	assert_null(lanes_take(&lanes));
	assert_int_equal(lanes.n_markers, 0);
	lanes_finish(&lanes);
}

static void
a_marker_tells_the_newest_revision_and_no_conversation_for_a_person(void **state)
{
	struct lanes lanes = {0};

	(void)state;
	for (int i = 1; i <= 40; i++)
		add(&lanes, 'm', 30 * KIB, STREAM_ME, 100 - i);
	assert_int_equal(lanes.durable.n_items, 1);
	expect_marker(&lanes, NULL, 99);
	add(&lanes, 'm', 3, STREAM_ME, 100); /* after the marker has left, payloads are kept again */
	assert_int_equal(lanes.n_markers, 0);
	assert_int_equal(lanes.durable.bytes, 3);
	lanes_finish(&lanes);
	assert_true(lanes_are_empty(&lanes));
	for (int i = 1; i <= 40; i++)
		add(&lanes, 'a', 30 * KIB, STREAM_A, i);
	expect_marker(&lanes, CONVERSATION_A, 40);
	lanes_finish(&lanes);
}

static void
memory_is_bounded_whatever_comes(void **state)
{
	struct lanes lanes = {0};
	char channel[40];

	(void)state;
	for (int i = 0; i < 20000; i++) {
		snprintf(channel, sizeof channel, "c:01890000-0000-7000-8000-%012d", i % 50);
		add(&lanes, 'x', 500, channel, i);
		assert_true(lanes.durable.bytes <= LANE_DURABLE_MAX);
		assert_true(lanes.n_markers <= 50);
	}
	lanes_finish(&lanes);
}

static void
of_ephemeral_frames_the_newest_of_a_key_leaves_last(void **state)
{
	struct lanes lanes = {0};

	(void)state;
	add_ephemeral(&lanes, "mode", "degraded");
	add_ephemeral(&lanes, "typing", "ann types");
	add_ephemeral(&lanes, "mode", "normal");
	assert_false(lanes_are_empty(&lanes));
	add(&lanes, 'a', 1, STREAM_A, 1);
	add_control(&lanes, "reply");
	expect_text(&lanes, "reply");
	expect_text(&lanes, "a");
	expect_text(&lanes, "ann types\nnormal");
	assert_null(lanes_take(&lanes));
	assert_true(lanes_are_empty(&lanes));
	add_ephemeral(&lanes, "mode", "degraded");
	lanes_finish(&lanes);
	assert_true(lanes_are_empty(&lanes));
}

static void
ephemeral_keys_tell_kind_conversation_and_person_apart(void **state)
{
	struct lanes lanes = {0};

	(void)state;
	add_ephemeral(&lanes, "delivered.updated " STREAM_A " 01890000-0000-7000-8000-000000000001", "a 1");
	add_ephemeral(&lanes, "delivered.updated " STREAM_A " 01890000-0000-7000-8000-000000000002", "a 2");
	add_ephemeral(&lanes, "delivered.updated " STREAM_A " 01890000-0000-7000-8000-000000000001", "a 1 newer");
	expect_text(&lanes, "a 2\na 1 newer");
	assert_true(lanes_are_empty(&lanes));
	lanes_finish(&lanes);
}

static void
ephemeral_keys_are_bounded_and_the_oldest_goes(void **state)
{
	struct lanes lanes = {0};
	char key[16];

	(void)state;
	for (int i = 0; i < 3 * LANE_EPHEMERAL_MAX; i++) {
		snprintf(key, sizeof key, "k%d", i);
		add_ephemeral(&lanes, key, key);
		assert_true(lanes.ephemeral.n_items <= LANE_EPHEMERAL_MAX);
	}
	assert_int_equal(lanes.ephemeral.n_items, LANE_EPHEMERAL_MAX);
	{
		struct frame *frame = lanes_take(&lanes);

		assert_memory_equal(frame->bytes, "k128\nk129\n", 10);
		frame_unref(frame);
	}
	assert_null(lanes_take(&lanes));
	lanes_finish(&lanes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lanes_leave_in_their_order_joined_by_newlines),
		cmocka_unit_test(large_frames_are_not_joined),
		cmocka_unit_test(an_overflow_collapses_the_oldest_stream),
		cmocka_unit_test(a_marker_tells_the_newest_revision_and_no_conversation_for_a_person),
		cmocka_unit_test(memory_is_bounded_whatever_comes),
		cmocka_unit_test(of_ephemeral_frames_the_newest_of_a_key_leaves_last),
		cmocka_unit_test(ephemeral_keys_tell_kind_conversation_and_person_apart),
		cmocka_unit_test(ephemeral_keys_are_bounded_and_the_oldest_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
