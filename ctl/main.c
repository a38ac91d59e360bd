/* stonechat: the operator's command line. One table of commands; settings stand before the command's name. */
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "cmd.h"
#include "config.h"
#include "log.h"

static const struct command {
	const char *name;
	const char *usage;
	const char *help;
	int (*run)(struct config *config, int argc, char **argv);
} commands[] = {
	{"config", "config get NAME | print", "shows a setting's effective value, or a file with all of them",
	 cmd_config},
	{"migrate", "migrate [--dry-run]", "makes folders and token key, brings the database up to date", cmd_migrate},
};

enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

static void
print_help(void)
{
	printf("stonechat: operates a Stonechat server.\n\n"
	       "usage: stonechat [--config FILE] [--SETTING=VALUE ...] COMMAND ...\n\ncommands:\n");
	for (size_t i = 0; i < N_COMMANDS; i++)
		printf("  %-28s %s\n", commands[i].usage, commands[i].help);
	printf("\nsettings:\n");
	config_print_help(stdout);
}

static int
run_command(struct config *config, int argc, char **argv)
{
	if (argc == 0) {
		fprintf(stderr, "stonechat: which command? --help lists them.\n");
		return 2;
	}
	if (strcmp(argv[0], "--help") == 0) {
		print_help();
		return 0;
	}
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (strcmp(argv[0], commands[i].name) == 0)
			return commands[i].run(config, argc - 1, argv + 1);
	}
	fprintf(stderr, "stonechat: there is no command %s; --help lists them.\n", argv[0]);
	return 2;
}

int
main(int argc, char **argv)
{
	struct config config;
	struct fault fault = {0};
	int rest = argc;

	if (config_load(&config, argc, argv, &rest, &fault) != OK) {
		fprintf(stderr, "stonechat: %s\n", fault.detail);
		return 2;
	}
	log_init("stonechat", config.log_level);
	int result = run_command(&config, argc - rest, argv + rest);
	config_finish(&config);
	return result;
}
