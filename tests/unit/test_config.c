/* config: file < environment < flag, checked values, and a sentence for every mistake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "config.h"

enum { ARGUMENTS_MAX = 8 };

/* Loads with the arguments given, up to NULL; *ret_rest may be NULL. */
static enum status
load(struct config *config, const char *const arguments[ARGUMENTS_MAX], int *ret_rest, struct fault *ret_fault)
{
	char *argv[ARGUMENTS_MAX + 2] = {"program"};
	int argc = 1;
	int rest;
	enum status status;

	for (; argc <= ARGUMENTS_MAX && arguments[argc - 1] != NULL; argc++)
		argv[argc] = (char *)arguments[argc - 1];
	status = config_load(config, argc, argv, &rest, ret_fault);
	if (ret_rest != NULL)
		*ret_rest = rest;
	return status;
}

/* Writes a file in the current folder, which is a fresh one for each test. */
static void
write_bytes(const char *name, const char *bytes, size_t len)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	fclose(file);
}

static void
write_file(const char *name, const char *text)
{
	write_bytes(name, text, strlen(text));
}

static void
defaults_hold_and_derive_from_each_other(void **state)
{
	struct config config;
	int rest;

	(void)state;
	assert_int_equal(load(&config, (const char *[ARGUMENTS_MAX]){NULL}, &rest, NULL), OK);
	assert_int_equal(rest, 1);
	assert_int_equal(config.port, 8080);
	assert_int_equal(config.push_port, 8081);
	assert_int_equal(config.metrics_port, 8090);
	assert_string_equal(config.data, "var");
	assert_string_equal(config.database_url, "sqlite:var/stonechat.db");
	assert_string_equal(config.redis_url, "unix:var/run/redis.sock");
	assert_string_equal(config.api_socket, "var/run/api.sock");
	assert_string_not_equal(config.push_node, "");
	assert_string_equal(config.auth_sign_up, "open");
	assert_non_null(config.public_origins);
	assert_null(config.public_origins[0]);
	config_finish(&config);
	assert_int_equal(load(&config, (const char *[ARGUMENTS_MAX]){"--port=9000", "--data=/d"}, NULL, NULL), OK);
	assert_int_equal(config.push_port, 9001);
	assert_int_equal(config.metrics_port, 9010);
	assert_string_equal(config.database_url, "sqlite:/d/stonechat.db");
	assert_string_equal(config.api_socket, "/d/run/api.sock");
	config_finish(&config);
}

/* The first api process, all of push, the other api processes: whoever has one of each finds them where they always were. */
static void
metrics_of_every_process_have_a_port_of_their_own(void **state)
{
	struct config config;

	(void)state;
	assert_int_equal(load(&config,
			      (const char *[ARGUMENTS_MAX]){"--push.processes=3", "--api.processes=2",
							    "--metrics.port=9100"},
			      NULL, NULL),
			 OK);
	assert_int_equal(config_api_metrics_port(&config, 1), 9100);
	assert_int_equal(config_push_metrics_port(&config, 1), 9101);
	assert_int_equal(config_push_metrics_port(&config, 3), 9103);
	assert_int_equal(config_api_metrics_port(&config, 2), 9104);
	config_finish(&config);
}

static void
flags_win_over_the_environment_and_that_over_the_file(void **state)
{
	struct config config;

	(void)state;
	write_file("s.conf",
		   "# settings\n\nport = 1001\nbind=::1 # all\n  push.node =\tn o d e \r\nlog.level = warn\n");
	setenv("STONECHAT_PORT", "1002", 1);
	setenv("STONECHAT_LOG_LEVEL", "error", 1);
	assert_int_equal(load(&config, (const char *[ARGUMENTS_MAX]){"--port", "1003", "--config", "s.conf"}, NULL,
			      NULL),
			 OK);
	assert_int_equal(config.port, 1003);
	assert_string_equal(config.bind, "::1");
	assert_string_equal(config.push_node, "n o d e");
	assert_string_equal(config.log_level, "error");
	config_finish(&config);
	assert_int_equal(load(&config, (const char *[ARGUMENTS_MAX]){"--config=s.conf"}, NULL, NULL), OK);
	assert_int_equal(config.port, 1002);
	config_finish(&config);
}

static void
reading_stops_at_the_first_other_argument(void **state)
{
	static const struct {
		const char *arguments[ARGUMENTS_MAX];
		int rest;
	} cases[] = {
		{{"--help"}, 1},
		{{"--port", "1", "--help", "--port=2"}, 3},
		{{"--port=1", "migrate", "--port=2"}, 2},
		{{"--"}, 1},
		{{"-p"}, 1},
		{{""}, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config config;
		int rest;

		assert_int_equal(load(&config, cases[i].arguments, &rest, NULL), OK);
		assert_int_equal(rest, cases[i].rest);
		assert_true(config.port == 8080 || config.port == 1);
		config_finish(&config);
	}
}

static void
lists_are_split(void **state)
{
	struct config config;

	(void)state;
	assert_int_equal(load(&config,
			      (const char *[ARGUMENTS_MAX]){"--public.origins= https://a.example , http://b:81"}, NULL,
			      NULL),
			 OK);
	assert_string_equal(config.public_origins[0], "https://a.example");
	assert_string_equal(config.public_origins[1], "http://b:81");
	assert_null(config.public_origins[2]);
	assert_string_equal(config_get(&config, "public.origins"), "https://a.example,http://b:81");
	config_finish(&config);
}

static void
bad_flags_are_refused_by_name(void **state)
{
	static const struct {
		const char *arguments[ARGUMENTS_MAX];
		const char *said;
	} cases[] = {
		{{"--port=0"}, "--port: port must be a whole number from 1 to 65535, not \"0\"."},
		{{"--port=65536"}, "from 1 to 65535, not \"65536\""},
		{{"--port=-1"}, "not \"-1\""},
		{{"--port=80x"}, "not \"80x\""},
		{{"--port="}, "not \"\""},
		{{"--port"}, "--port needs a value."},
		{{"--config"}, "--config needs a value."},
		{{"--config", "missing.conf"}, "missing.conf can't be read"},
		{{"--config=."}, "can't be read"},
		{{"--data="}, "data must be some text"},
		{{"--data=a\nb"}, "control characters"},
		{{"--data=\xff"}, "UTF-8"},
		{{"--pipeline=kafkaa"}, "one of direct|kafka"},
		{{"--pipeline=direct|kafka"}, "one of direct|kafka"},
		{{"--pipeline="}, "one of direct|kafka"},
		{{"--auth.sign_up=yes"}, "one of open|invite|closed"},
		{{"--log.level=INFO"}, "one of debug|info|warn|error"},
		{{"--database.url=mysql:x"}, "empty or start with sqlite:"},
		{{"--database.url=postgre://me:hush@host/x"}, "|postgresql://, not \"postgre:...\""},
		{{"--redis.url=localhost"}, "start with unix:|redis://"},
		{{"--public.origins=example.org"}, "a list of http[s]://host[:port]"},
		{{"--public.origins=https://a/"}, "not \"https://a/\""},
		{{"--public.origins=https://"}, "not \"https://\""},
		{{"--prot=1"}, "there is no setting prot; did you mean port?"},
		{{"--push.ports"}, "did you mean push.port?"},
		{{"--port=65535"}, "pass 65535"},
		{{"--port=1000", "--push.port=1000"}, "are both 1000"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config config;
		struct fault fault;

		assert_int_equal(load(&config, cases[i].arguments, NULL, &fault), ERR_INVALID);
		if (strstr(fault.detail, cases[i].said) == NULL)
			fail_msg("%s: %s", cases[i].arguments[0], fault.detail);
	}
}

static void
bad_lines_are_refused_by_number(void **state)
{
	static const struct {
		const char *text;
		const char *said;
	} cases[] = {
		{"\nport 8080\n", "s.conf:2: this is not \"setting = value\"."},
		{"port = 1\nport = 2\n", "s.conf:2: port is set a second time."},
		{"# one\n# two\nport = x", "s.conf:3: port must be a whole number"},
		{"limits.frame_byte = 1\n",
		 "s.conf:1: there is no setting limits.frame_byte; did you mean limits.frame_bytes?"},
		{"= 1\n", "there is no setting"},
		{"push_port = 1\n", "did you mean push.port?"},
	};
	char line[6000];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config config;
		struct fault fault;

		write_file("s.conf", cases[i].text);
		assert_int_equal(load(&config, (const char *[ARGUMENTS_MAX]){"--config=s.conf"}, NULL, &fault),
				 ERR_INVALID);
		if (strstr(fault.detail, cases[i].said) == NULL)
			fail_msg("%s: %s", cases[i].text, fault.detail);
	}
	memset(line, '#', sizeof line - 1);
	line[sizeof line - 1] = '\0';
	write_file("s.conf", line);
	assert_int_equal(load(&(struct config){0}, (const char *[ARGUMENTS_MAX]){"--config=s.conf"}, NULL, NULL),
			 ERR_INVALID);
	write_bytes("s.conf", "port = 1\0000\n", sizeof "port = 1\0000\n" - 1);
	assert_int_equal(load(&(struct config){0}, (const char *[ARGUMENTS_MAX]){"--config=s.conf"}, NULL, NULL),
			 ERR_INVALID);
}

static void
bad_variables_are_refused_by_name(void **state)
{
	static const struct {
		const char *name, *value;
		const char *said; /* NULL: accepted */
	} cases[] = {
		{"STONECHAT_LIMITS_SOCKETS_PER_USER", "3", NULL},
		{"STONECHAT_BUILD", "/somewhere", NULL},
		{"STONECHAT_FAULT_COMMIT", "1", NULL},
		{"STONECHATTER", "1", NULL},
		{"STONECHAT_PORT", "http", "STONECHAT_PORT: port must be a whole number"},
		{"STONECHAT_POTR", "1", "STONECHAT_POTR: there is no setting potr; did you mean port?"},
		{"STONECHAT_FAULTS", "1", "there is no setting"},
		{"STONECHAT_FILE", "1", "STONECHAT_FILE: there is no setting file"},
		{"STONECHAT_POTR_FILE", "1", "STONECHAT_POTR_FILE: there is no setting potr_file"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config config;
		struct fault fault;
		enum status status;

		setenv(cases[i].name, cases[i].value, 1);
		status = load(&config, (const char *[ARGUMENTS_MAX]){NULL}, NULL, &fault);
		unsetenv(cases[i].name);
		assert_int_equal(status, cases[i].said == NULL ? OK : ERR_INVALID);
		if (cases[i].said != NULL && strstr(fault.detail, cases[i].said) == NULL)
			fail_msg("%s: %s", cases[i].name, fault.detail);
		if (status == OK)
			config_finish(&config);
	}
}

static void
a_variable_may_name_a_file_with_the_value(void **state)
{
	static const struct {
		const char *text;  /* of the file; NULL: there is none */
		const char *other; /* STONECHAT_DATABASE_URL */
		const char *said;  /* NULL: accepted */
	} cases[] = {
		{"sqlite:/a#b \n", NULL, NULL},
		{"sqlite:/a#b \r\n", NULL, NULL},
		{"sqlite:/a#b ", NULL, NULL},
		{NULL, NULL, "STONECHAT_DATABASE_URL_FILE: secret can't be read"},
		{"sqlite:/a\nsqlite:/b\n", NULL, "STONECHAT_DATABASE_URL_FILE: secret must hold one line"},
		{"sqlite:/a\n\n", NULL, "must hold one line"},
		{"hunter2\n", NULL, "what secret holds is no value"},
		{"sqlite:/a\x01\n", NULL, "what secret holds is no value"},
		{"sqlite:/a", "sqlite:/b", "STONECHAT_DATABASE_URL and STONECHAT_DATABASE_URL_FILE are both set"},
		{"sqlite:/a", "", "are both set"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config config;
		struct fault fault;
		enum status status;

		unlink("secret");
		if (cases[i].text != NULL)
			write_file("secret", cases[i].text);
		if (cases[i].other != NULL)
			setenv("STONECHAT_DATABASE_URL", cases[i].other, 1);
		setenv("STONECHAT_DATABASE_URL_FILE", "secret", 1);
		status = load(&config, (const char *[ARGUMENTS_MAX]){NULL}, NULL, &fault);
		unsetenv("STONECHAT_DATABASE_URL");
		assert_int_equal(status, cases[i].said == NULL ? OK : ERR_INVALID);
		if (status == OK) {
			assert_string_equal(config.database_url, "sqlite:/a#b ");
			config_finish(&config);
		} else if (strstr(fault.detail, cases[i].said) == NULL || strstr(fault.detail, "hunter2") != NULL) {
			fail_msg("case %zu: %s", i, fault.detail);
		}
	}
}

static void
a_file_is_weaker_than_a_flag_and_none_when_its_name_is_empty(void **state)
{
	struct config config;

	(void)state;
	write_file("secret", "info\n");
	setenv("STONECHAT_LOG_LEVEL_FILE", "secret", 1);
	assert_int_equal(load(&config, (const char *[ARGUMENTS_MAX]){"--log.level=warn"}, NULL, NULL), OK);
	assert_string_equal(config.log_level, "warn");
	config_finish(&config);
	setenv("STONECHAT_LOG_LEVEL_FILE", "", 1);
	setenv("STONECHAT_LOG_LEVEL", "error", 1);
	assert_int_equal(load(&config, (const char *[ARGUMENTS_MAX]){NULL}, NULL, NULL), OK);
	assert_string_equal(config.log_level, "error");
	config_finish(&config);
}

static void
socket_paths_that_a_socket_cannot_have_are_refused(void **state)
{
	char flag[256] = "--data=";
	struct config config;
	struct fault fault;

	(void)state;
	memset(flag + strlen(flag), 'd', 107 - strlen("/run/redis.sock"));
	assert_int_equal(load(&config, (const char *[ARGUMENTS_MAX]){flag}, NULL, NULL), OK);
	config_finish(&config);
	flag[strlen(flag)] = 'd';
	assert_int_equal(load(&config, (const char *[ARGUMENTS_MAX]){flag}, NULL, &fault), ERR_INVALID);
	assert_non_null(strstr(fault.detail, "redis.url is 108 bytes long"));
	assert_int_equal(load(&config, (const char *[ARGUMENTS_MAX]){flag, "--redis.url=redis://r:1"}, NULL, NULL), OK);
	config_finish(&config);
}

static void
effective_values_are_told_as_text(void **state)
{
	static const struct {
		const char *name, *value;
	} cases[] = {
		{"port", "1000"},      {"push.port", "1001"},  {"auth.sign_up", "closed"},
		{"pipeline", "kafka"}, {"public.origins", ""}, {"redis.url", "unix:var/run/redis.sock"},
	};
	struct config config;

	(void)state;
	assert_int_equal(load(&config,
			      (const char *[ARGUMENTS_MAX]){"--port=1000", "--auth.sign_up", "closed",
							    "--pipeline=kafka"},
			      NULL, NULL),
			 OK);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(config_get(&config, cases[i].name), cases[i].value);
	assert_null(config_get(&config, "auth_sign_up"));
	assert_null(config_get(&config, ""));
	assert_string_equal(config.auth_sign_up, "closed");
	config_finish(&config);
}

/* The printed file, with every # before a setting taken away, is read without complaint and changes nothing. */
static void
printed_file_is_a_valid_file_of_the_defaults(void **state)
{
	char line[1024];
	struct config plain, read;
	FILE *printed = fopen("printed.conf", "w+");
	FILE *active = fopen("active.conf", "w");
	int n_settings = 0;

	(void)state;
	config_print_file(printed);
	rewind(printed);
	while (fgets(line, sizeof line, printed) != NULL) {
		bool is_setting = line[0] == '#' && line[1] != ' ';

		n_settings += is_setting;
		fputs(is_setting ? line + 1 : line, active);
	}
	fclose(printed);
	fclose(active);
	assert_in_range(n_settings, 25, 128);
	assert_int_equal(load(&plain, (const char *[ARGUMENTS_MAX]){"--config=printed.conf"}, NULL, NULL), OK);
	assert_int_equal(load(&read, (const char *[ARGUMENTS_MAX]){"--config=active.conf"}, NULL, NULL), OK);
	assert_int_equal(read.push_port, plain.push_port);
	assert_int_equal(read.limits_heartbeat_ms, plain.limits_heartbeat_ms);
	assert_string_equal(read.database_url, plain.database_url);
	assert_string_equal(read.push_node, plain.push_node);
	config_finish(&plain);
	config_finish(&read);
}

static void
help_lists_settings(void **state)
{
	CLEANUP_FREE char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	config_print_help(out);
	fclose(out);
	assert_non_null(strstr(text, "--port=8080"));
	assert_non_null(strstr(text, "[1 to 65535]"));
	assert_non_null(strstr(text, "--limits.heartbeat_ms=25000"));
	assert_non_null(strstr(text, "[100 to 600000 ms]"));
	assert_non_null(strstr(text, "[open|invite|closed]"));
}

static int
enter_fresh_folder(void **state)
{
	char *folder = strdup("/tmp/stonechat-config-XXXXXX");

	clearenv(); /* whoever runs the tests may have settings in it */
	*state = folder;
	return mkdtemp(folder) == NULL || chdir(folder) != 0 ? -1 : 0;
}

static int
remove_folder(void **state)
{
	static const char *const names[] = {"s.conf", "printed.conf", "active.conf", "secret"};
	CLEANUP_FREE char *folder = *state;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		unlink(names[i]);
	return chdir("/") != 0 || rmdir(folder) != 0 ? -1 : 0;
}

#define in_fresh_folder(test) cmocka_unit_test_setup_teardown(test, enter_fresh_folder, remove_folder)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		in_fresh_folder(defaults_hold_and_derive_from_each_other),
		in_fresh_folder(metrics_of_every_process_have_a_port_of_their_own),
		in_fresh_folder(flags_win_over_the_environment_and_that_over_the_file),
		in_fresh_folder(reading_stops_at_the_first_other_argument),
		in_fresh_folder(lists_are_split),
		in_fresh_folder(bad_flags_are_refused_by_name),
		in_fresh_folder(bad_lines_are_refused_by_number),
		in_fresh_folder(bad_variables_are_refused_by_name),
		in_fresh_folder(a_variable_may_name_a_file_with_the_value),
		in_fresh_folder(a_file_is_weaker_than_a_flag_and_none_when_its_name_is_empty),
		in_fresh_folder(socket_paths_that_a_socket_cannot_have_are_refused),
		in_fresh_folder(effective_values_are_told_as_text),
		in_fresh_folder(printed_file_is_a_valid_file_of_the_defaults),
		in_fresh_folder(help_lists_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
