/* log: one line per call, in logfmt, that no value can forge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

/* What `fields` wrote to standard error after the event, without the newline. */
static const char *
capture(const struct log_field *fields, size_t n_fields)
{
	static char line[8192];
	int kept = dup(STDERR_FILENO);
	int ends[2];
	ssize_t len;
	char *event;

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	dup2(ends[1], STDERR_FILENO);
	log_write(LOG_INFO, "test", fields, n_fields);
	dup2(kept, STDERR_FILENO);
	len = read(ends[0], line, sizeof line - 1);
	close(ends[0]);
	close(ends[1]);
	close(kept);
	assert_true(len > 0);
	assert_int_equal(line[len - 1], '\n');
	line[len - 1] = '\0';
	assert_null(strchr(line, '\n'));
	event = strstr(line, " event=test");
	assert_non_null(event);
	event += strlen(" event=test");
	return *event == ' ' ? event + 1 : event;
}

static void
line_starts_with_time_level_and_program(void **state)
{
	const char *rest = capture(NULL, 0);
	const char *line = rest - strlen("time=2026-01-31T23:59:59.123Z level=info program=stonechat-test event=test");

	(void)state;
	assert_string_equal(rest, "");
	assert_memory_equal(line, "time=2", 6);
	assert_non_null(strstr(line, "Z level=info program=stonechat-test event=test"));
}

static void
line_names_the_process_where_there_are_several(void **state)
{
	static const char head[] = "program=stonechat-test process=3 event=test";
	const char *rest;

	(void)state;
	log_set_process(3);
	rest = capture(NULL, 0);
	log_set_process(0);
	assert_memory_equal(rest - strlen(head), head, strlen(head));
}

static void
values_are_quoted_when_they_must_be(void **state)
{
	static const struct {
		const char *text;
		const char *shown;
	} cases[] = {
		{"GET", "k=GET"},
		{"/api/v1/x?y", "k=/api/v1/x?y"},
		{"", "k=\"\""},
		{NULL, "k=-"},
		{"two words", "k=\"two words\""},
		{"a=b", "k=\"a=b\""},
		{"say \"hi\"", "k=\"say \\\"hi\\\"\""},
		{"back\\slash", "k=\"back\\\\slash\""},
		{"x\nlevel=error event=forged", "k=\"x\\nlevel=error event=forged\""},
		{"\r\t\x1b[31m\x7f", "k=\"\\r\\t\\x1b[31m\\x7f\""},
		{"sch\xc3\xb6n", "k=\"sch\xc3\xb6n\""},
		{"c1 \xc2\x9b", "k=\"c1 \\xc2\\x9b\""},
		{"bad \xff", "k=\"bad \\xff\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(capture(&LOG_S("k", cases[i].text), 1), cases[i].shown);
}

static void
numbers_are_written_in_full(void **state)
{
	const struct log_field fields[] = {
		LOG_I("zero", 0),
		LOG_I("min", INT64_MIN),
		LOG_I("max", INT64_MAX),
	};

	(void)state;
	assert_string_equal(capture(fields, 3), "zero=0 min=-9223372036854775808 max=9223372036854775807");
}

static void
long_values_and_lines_are_cut(void **state)
{
	char text[3000];
	struct log_field fields[6];
	const char *shown;

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	shown = capture(&LOG_S("k", text), 1);
	assert_int_equal(strlen(shown), strlen("k=\"...\"") + 1024);
	assert_string_equal(shown + strlen(shown) - 5, "x...\"");
	for (size_t i = 0; i < 6; i++)
		fields[i] = LOG_S("k", text);
	shown = capture(fields, 6);
	assert_in_range(strlen(shown), 3900, 4095);
	assert_string_equal(shown + strlen(shown) - 4, "x...");
}

static void
levels_filter(void **state)
{
	(void)state;
	assert_false(log_init("stonechat-test", "loud"));
	assert_false(log_init("stonechat-test", ""));
	assert_true(log_init("stonechat-test", "warn"));
	assert_false(log_enabled(LOG_DEBUG));
	assert_false(log_enabled(LOG_INFO));
	assert_true(log_enabled(LOG_WARN));
	assert_true(log_enabled(LOG_ERROR));
	assert_true(log_init("stonechat-test", "debug"));
	assert_true(log_enabled(LOG_DEBUG));
}

static int
prepare(void **state)
{
	(void)state;
	return log_init("stonechat-test", "info") ? 0 : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_starts_with_time_level_and_program),
		cmocka_unit_test(line_names_the_process_where_there_are_several),
		cmocka_unit_test(values_are_quoted_when_they_must_be),
		cmocka_unit_test(numbers_are_written_in_full),
		cmocka_unit_test(long_values_and_lines_are_cut),
		cmocka_unit_test(levels_filter),
	};

	return cmocka_run_group_tests(tests, prepare, NULL);
}
