/* Where the values of settings come from: a file, the environment, the command line. A value is checked where it is
 * read, so that a refusal names the file and line, the variable or the flag, also when something later overrides it. */
#include "config_sources.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "config_table.h"

#define ENV_PREFIX "STONECHAT_"

enum { LINE_MAX_BYTES = 4096 };

static enum status
refuse_unknown(struct fault *ret_fault, const char *where, const char *name)
{
	return fault_set(ret_fault, ERR_INVALID, "unknown_setting", NULL,
			 "%s: there is no setting %s; did you mean %s?", where, name, config_table_nearest(name));
}

static void
close_file(FILE **file)
{
	if (*file != NULL)
		fclose(*file);
}

/* Cuts a comment (a # at the start or after white space) and the white space around, in place. */
static char *
trim(char *text)
{
	static const char blanks[] = " \t\r\n";
	size_t len;

	for (char *hash = strchr(text, '#'); hash != NULL; hash = strchr(hash + 1, '#')) {
		if (hash == text || strchr(blanks, hash[-1]) != NULL) {
			*hash = '\0';
			break;
		}
	}
	text += strspn(text, blanks);
	for (len = strlen(text); len > 0 && strchr(blanks, text[len - 1]) != NULL; len--)
		text[len - 1] = '\0';
	return text;
}

/* `is_set` holds a flag per setting, because a second value for one in the same file is a mistake. */
static enum status
read_line(struct config *config, char *line, const char *where, bool *is_set, struct fault *ret_fault)
{
	char *name = trim(line);
	char *equals = strchr(name, '=');
	const struct setting *setting;

	if (*name == '\0')
		return OK;
	if (equals == NULL)
		return fault_set(ret_fault, ERR_INVALID, "bad_line", NULL, "%s: this is not \"setting = value\".",
				 where);
	*equals = '\0';
	name = trim(name);
	setting = config_table_find(name, false);
	if (setting == NULL)
		return refuse_unknown(ret_fault, where, name);
	if (is_set[config_table_index(setting)])
		return fault_set(ret_fault, ERR_INVALID, "bad_setting", NULL, "%s: %s is set a second time.", where,
				 name);
	is_set[config_table_index(setting)] = true;
	return config_table_assign(config, setting, trim(equals + 1), where, ret_fault);
}

static enum status
read_file(struct config *config, const char *path, struct fault *ret_fault)
{
	CLEANUP(close_file) FILE *file = fopen(path, "re");
	bool is_set[CONFIG_TABLE_MAX] = {false};
	char line[LINE_MAX_BYTES];

	if (file == NULL)
		return fault_set(ret_fault, ERR_INVALID, "unreadable_file", NULL,
				 "The settings file %s can't be read: %s.", path, strerror(errno));
	for (int number = 1; fgets(line, sizeof line, file) != NULL; number++) {
		const char *where = arena_printf(&config->arena, "%s:%d", path, number);

		if (strchr(line, '\n') == NULL && !feof(file))
			return fault_set(ret_fault, ERR_INVALID, "bad_line", NULL,
					 "%s: the line is too long, or a NUL is in it.", where);
		TRY(read_line(config, line, where, is_set, ret_fault));
	}
	if (ferror(file))
		return fault_set(ret_fault, ERR_INVALID, "unreadable_file", NULL,
				 "The settings file %s can't be read: %s.", path, strerror(errno));
	return OK;
}

static enum status
read_environment(struct config *config, struct fault *ret_fault)
{
	for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
		const struct setting *setting;
		const char *equals = strchr(*entry, '=');
		char *name, *variable;

		if (equals == NULL || strncmp(*entry, ENV_PREFIX, strlen(ENV_PREFIX)) != 0)
			continue;
		variable = arena_memdup(&config->arena, *entry, (size_t)(equals - *entry));
		name = arena_strdup(&config->arena, variable + strlen(ENV_PREFIX));
		if (strcmp(name, "BUILD") == 0 || strncmp(name, "FAULT_", strlen("FAULT_")) == 0)
			continue; /* for scripts, and for faults injected by drills */
		for (char *letter = name; *letter != '\0'; letter++)
			*letter = (char)tolower((unsigned char)*letter);
		setting = config_table_find(name, true);
		if (setting == NULL)
			return refuse_unknown(ret_fault, variable, name);
		TRY(config_table_assign(config, setting, equals + 1, variable, ret_fault));
	}
	return OK;
}

struct flag {
	const char *name; /* without the dashes; NULL: *index is where the settings end */
	const char *value;
	const struct setting *setting; /* NULL: --config */
};

/* Reads the flag at *index and moves on. What looks like a setting (it has a dot or a value) but is none is refused. */
static enum status
next_flag(struct config *config, int argc, char **argv, int *index, struct flag *ret_flag, struct fault *ret_fault)
{
	const char *argument = *index < argc ? argv[*index] : "";
	struct flag flag = {.name = NULL};
	size_t len;

	*ret_flag = flag;
	if (strncmp(argument, "--", 2) != 0 || argument[2] == '\0')
		return OK;
	argument += 2;
	len = strcspn(argument, "=");
	flag.name = arena_memdup(&config->arena, argument, len);
	flag.setting = config_table_find(flag.name, false);
	if (flag.setting == NULL && strcmp(flag.name, "config") != 0) {
		if (argument[len] == '\0' && strchr(argument, '.') == NULL)
			return OK;
		return refuse_unknown(ret_fault, "command line", flag.name);
	}
	flag.value = argument[len] == '=' ? argument + len + 1 : argv[++*index];
	if (*index >= argc)
		return fault_set(ret_fault, ERR_INVALID, "bad_flag", NULL, "--%s needs a value.", flag.name);
	++*index;
	*ret_flag = flag;
	return OK;
}

/* The flags are read twice: first for --config, whose values are weaker than those of the other flags. */
static enum status
read_flags(struct config *config, int argc, char **argv, const char **ret_file, int *ret_rest, struct fault *ret_fault)
{
	int index = 1;
	struct flag flag;

	for (;;) {
		TRY(next_flag(config, argc, argv, &index, &flag, ret_fault));
		if (flag.name == NULL)
			break;
		if (ret_file != NULL && flag.setting == NULL)
			*ret_file = flag.value;
		if (ret_file == NULL && flag.setting != NULL)
			TRY(config_table_assign(config, flag.setting, flag.value,
						arena_printf(&config->arena, "--%s", flag.name), ret_fault));
	}
	*ret_rest = index;
	return OK;
}

enum status
config_sources_read(struct config *config, int argc, char **argv, int *ret_rest, struct fault *ret_fault)
{
	const char *file = NULL;

	TRY(read_flags(config, argc, argv, &file, ret_rest, ret_fault));
	if (file != NULL)
		TRY(read_file(config, file, ret_fault));
	TRY(read_environment(config, ret_fault));
	return read_flags(config, argc, argv, NULL, ret_rest, ret_fault);
}
