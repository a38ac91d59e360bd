/* base/buf: what goes in comes out, and never more than the maximum. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/buf.h"

static void
appends_and_stays_terminated(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 0);
	assert_null(buf.bytes);
	assert_true(buf_append_text(&buf, "stone"));
	assert_true(buf_append(&buf, "chatter", 4));
	assert_true(buf_append(&buf, NULL, 0));
	assert_true(buf_printf(&buf, " %d", 42));
	assert_string_equal(buf.bytes, "stonechat 42");
	assert_int_equal(buf.len, 12);
	buf_clear(&buf);
	assert_string_equal(buf.bytes, "");
	assert_int_equal(buf.len, 0);
	buf_finish(&buf);
	assert_null(buf.bytes);
}

static void
grows_to_its_maximum_and_not_a_byte_further(void **state)
{
	struct buf buf;
	char kilobyte[1000];

	(void)state;
	memset(kilobyte, 'k', sizeof kilobyte);
	buf_init(&buf, 2500);
	assert_true(buf_append(&buf, kilobyte, 1000));
	assert_true(buf_append(&buf, kilobyte, 1000));
	assert_false(buf_append(&buf, kilobyte, 501));
	assert_false(buf_printf(&buf, "%501s", ""));
	assert_null(buf_reserve(&buf, 501));
	assert_null(buf_reserve(&buf, SIZE_MAX));
	assert_int_equal(buf.len, 2000);
	assert_true(buf_append(&buf, kilobyte, 500));
	assert_int_equal(buf.len, 2500);
	assert_true(buf.capacity <= 2501);
	assert_false(buf_append_text(&buf, "x"));
	assert_true(buf_append_text(&buf, ""));
	buf_finish(&buf);
}

static void
reserved_room_is_written_in_place(void **state)
{
	struct buf buf;
	char *end;

	(void)state;
	buf_init(&buf, 0);
	end = buf_reserve(&buf, 10000);
	memset(end, 'r', 10000);
	buf_advance(&buf, 9999);
	assert_int_equal(buf.len, 9999);
	assert_int_equal(strlen(buf.bytes), 9999);
	buf_advance(&buf, 0);
	buf_finish(&buf);
}

static void
consumes_from_the_front(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 0);
	buf_consume(&buf, 0);
	assert_true(buf_append_text(&buf, "one\ntwo\n"));
	buf_consume(&buf, 4);
	assert_string_equal(buf.bytes, "two\n");
	buf_consume(&buf, 4);
	assert_int_equal(buf.len, 0);
	assert_string_equal(buf.bytes, "");
	buf_finish(&buf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appends_and_stays_terminated),
		cmocka_unit_test(grows_to_its_maximum_and_not_a_byte_further),
		cmocka_unit_test(reserved_room_is_written_in_place),
		cmocka_unit_test(consumes_from_the_front),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
