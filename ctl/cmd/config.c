/* stonechat config: `get NAME` prints the effective value of one setting (file < environment < flag), for scripts; `print`
 * writes a configuration file with every setting, its default, unit and meaning. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"

static int
get(struct config *config, const char *name)
{
	const char *value = config_get(config, name);

	if (!value) {
		fprintf(stderr, "stonechat config: there is no setting %s.\n", name);
		return 1;
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
	fprintf(stderr, "usage: stonechat config get NAME | stonechat config print\n");
	return 2;
}
