/* program: what a command line makes a program do before it does anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "program.h"

enum { ARGUMENTS_MAX = 4 };

static void
print_commands(FILE *to)
{
	fputs("Commands:\n", to);
}

static const struct program daemon_program = {.name = "some-daemon", .purpose = "serves"};
static const struct program command_program = {
	.name = "some-command",
	.purpose = "operates",
	.arguments = "COMMAND ...",
	.print_arguments = print_commands,
};

/* Runs program_begin with what it prints kept in a file for each stream. */
static int
begin(const struct program *program, const char *const arguments[ARGUMENTS_MAX], struct config *config, int *ret_rest,
      char ret_printed[2][16384])
{
	FILE *files[] = {tmpfile(), tmpfile()};
	int kept[] = {dup(STDOUT_FILENO), dup(STDERR_FILENO)};
	char *argv[ARGUMENTS_MAX + 2] = {(char *)"program"};
	int argc = 1, result;

	for (; argc <= ARGUMENTS_MAX && arguments[argc - 1] != NULL; argc++)
		argv[argc] = (char *)arguments[argc - 1];
	fflush(stdout);
	for (int i = 0; i < 2; i++)
		dup2(fileno(files[i]), STDOUT_FILENO + i);
	result = program_begin(program, config, argc, argv, ret_rest);
	fflush(stdout);
	for (int i = 0; i < 2; i++) {
		dup2(kept[i], STDOUT_FILENO + i);
		close(kept[i]);
		rewind(files[i]);
		ret_printed[i][fread(ret_printed[i], 1, sizeof ret_printed[i] - 1, files[i])] = '\0';
		fclose(files[i]);
	}
	return result;
}

static void
a_mistake_is_one_sentence_and_status_2(void **state)
{
	static const struct {
		const struct program *program;
		const char *arguments[ARGUMENTS_MAX];
		const char *said;
	} cases[] = {
		{&daemon_program, {"--port=many"}, "some-daemon: --port: port must be"},
		{&daemon_program, {"--no.such=1"}, "some-daemon: command line: there is no setting no.such"},
		{&daemon_program, {"serve"}, "some-daemon: There is no argument serve; --help"},
		{&daemon_program, {"--port=1", "-h"}, "some-daemon: There is no argument -h; --help"},
		{&daemon_program, {"--config", "/nothing/here"}, "some-daemon: The settings file /nothing/here"},
		{&command_program, {"--port=many", "do"}, "some-command: --port: port must be"},
	};
	static char printed[2][16384];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config config;
		int rest;

		assert_int_equal(begin(cases[i].program, cases[i].arguments, &config, &rest, printed),
				 PROGRAM_CALLED_WRONGLY);
		assert_string_equal(printed[0], "");
		assert_ptr_equal(strstr(printed[1], cases[i].said), printed[1]);
		assert_ptr_equal(strchr(printed[1], '\n'), printed[1] + strlen(printed[1]) - 1);
	}
}

static void
help_is_printed_wherever_it_is_asked_for(void **state)
{
	static const struct {
		const struct program *program;
		const char *arguments[ARGUMENTS_MAX];
		const char *said;
	} cases[] = {
		{&daemon_program,
		 {"--help"},
		 "some-daemon: serves.\n\nusage: some-daemon [--config FILE] [--SETTING=VALUE ...]\n"},
		{&daemon_program, {"--port=many", "--help"}, "some-daemon: serves."},
		{&command_program, {"do", "--help"}, "[--SETTING=VALUE ...] COMMAND ...\n\nCommands:\n"},
	};
	static char printed[2][16384];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config config;
		int rest;

		assert_int_equal(begin(cases[i].program, cases[i].arguments, &config, &rest, printed), PROGRAM_DONE);
		assert_non_null(strstr(printed[0], cases[i].said));
		assert_non_null(strstr(printed[0], "--limits.body_bytes=65536"));
		assert_string_equal(printed[1], "");
	}
}

static void
what_follows_the_settings_is_the_commands(void **state)
{
	static char printed[2][16384];
	struct config config;
	int rest;

	(void)state;
	assert_int_equal(begin(&command_program, (const char *[ARGUMENTS_MAX]){"--port=7", "do", "--it"}, &config,
			       &rest, printed),
			 PROGRAM_GOES_ON);
	assert_int_equal(rest, 2);
	assert_int_equal(config.port, 7);
	config_finish(&config);
	assert_int_equal(begin(&daemon_program, (const char *[ARGUMENTS_MAX]){"--port=8"}, &config, &rest, printed),
			 PROGRAM_GOES_ON);
	assert_int_equal(config.port, 8);
	config_finish(&config);
	assert_string_equal(printed[0], "");
	assert_string_equal(printed[1], "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mistake_is_one_sentence_and_status_2),
		cmocka_unit_test(help_is_printed_wherever_it_is_asked_for),
		cmocka_unit_test(what_follows_the_settings_is_the_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
