/* stonechat: the operator's command line. One table of commands; settings stand before the command's name. */
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "cmd.h"
#include "config.h"
#include "program.h"

static const struct command {
	const char *name;
	const char *usage;
	const char *help;
	int (*run)(struct config *config, int argc, char **argv);
} commands[] = {
	{"admin", "admin ...", "people, invites and the audit; `admin` alone lists what there is", cmd_admin},
	{"config", "config get NAME | print", "shows a setting's effective value, or a file with all of them",
	 cmd_config},
	{"migrate", "migrate [--dry-run]", "makes folders and token key, brings the database up to date", cmd_migrate},
	{"migrate-db", "migrate-db --to URL ...", "moves all data to another database while the servers run",
	 cmd_migrate_db},
	{"restore", "restore FILE", "puts a copy of the database in the place of the one in use", cmd_restore},
	{"restored", "restored", "begins a new epoch, after the database server's tools have put a copy back",
	 cmd_restored},
	{"status", "status [--json]", "whether this host is ready, and what each of its processes tells of itself",
	 cmd_status},
};

enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

static void
print_commands(FILE *to)
{
	fputs("Commands:\n\n", to);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(to, "  %-28s %s\n", commands[i].usage, commands[i].help);
	fputc('\n', to);
}

static const struct program program = {
	.name = "stonechat",
	.purpose = "operates a Stonechat server",
	.arguments = "COMMAND ...",
	.print_arguments = print_commands,
};

static int
run_command(struct config *config, int argc, char **argv)
{
	struct fault fault = {0};

	if (argc == 0)
		return program_give_up(program.name, PROGRAM_CALLED_WRONGLY, "Which command? --help lists them.");
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (strcmp(argv[0], commands[i].name) == 0)
			return commands[i].run(config, argc - 1, argv + 1);
	}
	fault_fill(&fault, ERR_INVALID, "unknown_command", NULL, "There is no command %s; --help lists them.", argv[0]);
	return program_give_up(program.name, PROGRAM_CALLED_WRONGLY, fault.detail);
}

int
main(int argc, char **argv)
{
	struct config config;
	int rest, result = program_begin(&program, &config, argc, argv, &rest);

	if (result != PROGRAM_GOES_ON)
		return result;
	result = run_command(&config, argc - rest, argv + rest);
	config_finish(&config);
	return result;
}
