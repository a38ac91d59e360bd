/* Reading the values of settings from where they come; private to config. */
#ifndef CONFIG_SOURCES_H
#define CONFIG_SOURCES_H

#include "base/status.h"
#include "config.h"

/* Overwrites the defaults in `config`: file < environment < flag. Arguments and errors as of config_load. */
MUST_USE enum status config_sources_read(struct config *config, int argc, char **argv, int *ret_rest,
					 struct fault *ret_fault);

#endif
