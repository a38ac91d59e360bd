/* stonechat config: `get NAME` prints the effective value of one setting (file < environment < flag), for scripts; `print`
 * writes a configuration file with every setting, its default, unit and meaning. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "program.h"

static int
get(struct config *config, const char *name)
{
	const char *value = config_get(config, name);

	struct fault fault = {0};

	if (!value) {
		fault_fill(&fault, ERR_INVALID, "unknown_setting", NULL, "There is no setting %s; --help lists them.",
			   name);
		return program_give_up("stonechat config", PROGRAM_CALLED_WRONGLY, fault.detail);
	}
	puts(value);
	return 0;
}

int
cmd_config(struct config *config, int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[0], "get") == 0)
		return get(config, argv[1]);
	if (argc == 1 && strcmp(argv[0], "print") == 0) {
		config_print_file(stdout);
		return 0;
	}
	return program_give_up("stonechat config", PROGRAM_CALLED_WRONGLY,
			       "What follows is either get and the name of a setting, or print.");
}
