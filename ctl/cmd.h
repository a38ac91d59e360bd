/* What an operator's command is; each is one file in cmd/, listed in main.c. */
#ifndef CMD_H
#define CMD_H

#include "config.h"

/* `argv` begins after the command's name. Prints what it did on stdout, why it could not on stderr. Returns the program's
 * exit status: 0, 1 when it failed, 2 when it was called wrongly. */
int cmd_migrate(struct config *config, int argc, char **argv);
int cmd_migrate_db(struct config *config, int argc, char **argv);
int cmd_restore(struct config *config, int argc, char **argv);
int cmd_restored(struct config *config, int argc, char **argv);
int cmd_admin(struct config *config, int argc, char **argv);
int cmd_status(struct config *config, int argc, char **argv);
int cmd_config(struct config *config, int argc, char **argv);

#endif
