/* How a program begins and how it gives up: the same for the daemons and the operator's command line.
 *
 * What it can't do is one sentence on standard error. Exit status 2: it was called wrongly (arguments, settings);
 * 1: all else. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdio.h>

#include "config.h"

enum {
	PROGRAM_GOES_ON = -1,
	PROGRAM_DONE = 0,
	PROGRAM_FAILED = 1,
	PROGRAM_CALLED_WRONGLY = 2,
};

struct program {
	const char *name;                  /* stonechat-api */
	const char *purpose;               /* what --help says it is, without a full stop */
	const char *arguments;             /* what stands after the settings; NULL: nothing may */
	void (*print_arguments)(FILE *to); /* explains them in --help; NULL when there are none */
};

/* Reads the command line and the settings, and opens the log. PROGRAM_GOES_ON: `config` is the caller's to finish, and
 * the arguments after the settings begin at *ret_rest. Else the exit status: --help has been printed (wherever it stands
 * and whatever the settings are), or what is wrong has been said. */
int program_begin(const struct program *program, struct config *config, int argc, char **argv, int *ret_rest);

/* Says `sentence` on standard error after the program's name; returns `exit_status`. */
int program_give_up(const char *name, int exit_status, const char *sentence);

#endif
