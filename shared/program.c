/* Command line, --help and last words of every program. */
#include "program.h"

#include <malloc.h>
#include <string.h>

#include "log.h"

int
program_give_up(const char *name, int exit_status, const char *sentence)
{
	fprintf(stderr, "%s: %s\n", name, sentence);
	return exit_status;
}

static void
print_help(const struct program *program)
{
	printf("%s: %s.\n\nusage: %s [--config FILE] [--SETTING=VALUE ...]%s%s\n\n", program->name, program->purpose,
	       program->name, program->arguments == NULL ? "" : " ",
	       program->arguments == NULL ? "" : program->arguments);
	if (program->print_arguments != NULL)
		program->print_arguments(stdout);
	config_print_help(stdout);
}

static bool
wants_help(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0)
			return true;
	}
	return false;
}

int
program_begin(const struct program *program, struct config *config, int argc, char **argv, int *ret_rest)
{
	struct fault fault = {0};
	int rest = argc;

	if (wants_help(argc, argv)) {
		print_help(program);
		return PROGRAM_DONE;
	}
	if (config_load(config, argc, argv, &rest, &fault) != OK)
		return program_give_up(program->name, PROGRAM_CALLED_WRONGLY, fault.detail);
	if (program->arguments == NULL && rest < argc) {
		fault_fill(&fault, ERR_INVALID, "unknown_argument", NULL,
			   "There is no argument %s; --help lists what there is.", argv[rest]);
		config_finish(config);
		return program_give_up(program->name, PROGRAM_CALLED_WRONGLY, fault.detail);
	}
	log_init(program->name, config->log_level);
	mallopt(M_TRIM_THRESHOLD,
		1024 * 1024); /* an arena a thread: not given back and asked for again with each batch */
	*ret_rest = rest;
	return PROGRAM_GOES_ON;
}
