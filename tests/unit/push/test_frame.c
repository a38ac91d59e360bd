/* push/frame: bytes, references, room for the header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "frame.h"

static void
a_frame_holds_its_bytes(void **state)
{
	struct frame *frame = frame_create("abc", 3);

	(void)state;
	assert_int_equal(frame->len, 3);
	assert_memory_equal(frame->bytes, "abc", 3);
	memset(frame->bytes - FRAME_HEADROOM, 0xff, FRAME_HEADROOM); /* what the library writes before the payload */
	assert_memory_equal(frame->bytes, "abc", 3);
	assert_int_equal(frame->len, 3);
	frame_unref(frame);
}

static void
json_is_compact(void **state)
{
	struct frame *frame = frame_from_json(json_pack("{s:s, s:i}", "type", "pong", "n", 7));

	(void)state;
	assert_int_equal(frame->len, strlen("{\"type\":\"pong\",\"n\":7}"));
	assert_memory_equal(frame->bytes, "{\"type\":\"pong\",\"n\":7}", frame->len);
	frame_unref(frame);
}

static void
it_lives_until_the_last_reference(void **state)
{
	struct frame *frame = frame_create("abc", 3);
	struct frame *same = frame_ref(frame);

	(void)state;
	assert_ptr_equal(same, frame);
	frame_unref(frame);
	assert_memory_equal(same->bytes, "abc", 3);
	frame_unref(same);
	frame_unref(NULL);
}

static void
an_empty_frame_is_fine(void **state)
{
	struct frame *frame = frame_create(NULL, 0);

	(void)state;
	assert_int_equal(frame->len, 0);
	frame_unref(frame);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_holds_its_bytes),
		cmocka_unit_test(json_is_compact),
		cmocka_unit_test(it_lives_until_the_last_reference),
		cmocka_unit_test(an_empty_frame_is_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
