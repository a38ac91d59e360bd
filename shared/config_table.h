/* The table of settings in config.c, as config_sources.c sees it; private to config. */
#ifndef CONFIG_TABLE_H
#define CONFIG_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "config.h"

struct setting;

enum { CONFIG_TABLE_MAX = 128 }; /* rows at most */

/* The setting of that name, or NULL. Of a variable, `name` is what follows STONECHAT_, in lower case. */
const struct setting *config_table_find(const char *name, bool is_variable);

/* The name that is most like `name`: for "did you mean". */
const char *config_table_nearest(const char *name);

/* From 0 to CONFIG_TABLE_MAX - 1. */
size_t config_table_index(const struct setting *setting);

/* Checks a value and stores it; ERR_INVALID when it is bad, with a sentence that starts with
 * `where` (file and line, variable, flag). */
MUST_USE enum status config_table_assign(struct config *config, const struct setting *setting, const char *text,
					 const char *where, struct fault *ret_fault);

#endif
