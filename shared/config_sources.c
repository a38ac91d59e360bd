/* Where the values of settings come from: a file, the environment (or a file that it names), the command line. A value is checked where it is
 * read, so that a refusal names the file and line, the variable or the flag, also when something later overrides it. */
#include "config_sources.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "config_table.h"

#define ENV_PREFIX "STONECHAT_"
#define FILE_SUFFIX "_FILE"

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

/* The only line of a file. */
static enum status
read_value_file(struct config *config, const char *path, const char *where, const char **ret_value,
		struct fault *ret_fault)
{
	CLEANUP(close_file) FILE *file = fopen(path, "re");
	char line[LINE_MAX_BYTES], rest[2];
	size_t len;

	if (file == NULL)
		return fault_set(ret_fault, ERR_INVALID, "unreadable_file", NULL, "%s: %s can't be read: %s.", where,
				 path, strerror(errno));
	if (fgets(line, sizeof line, file) == NULL)
		*line = '\0';
	if (ferror(file) || fgets(rest, sizeof rest, file) != NULL)
		return fault_set(ret_fault, ERR_INVALID, "bad_line", NULL,
				 "%s: %s must hold one line of less than %d bytes and nothing else.", where, path,
				 LINE_MAX_BYTES);
	len = strcspn(line, "\r\n");
	*ret_value = arena_memdup(&config->arena, line, len);
	return OK;
}

/* STONECHAT_A_B_FILE=PATH: the value of a.b stands in that file. It is a secret, so no refusal repeats it. */
static enum status
assign_from_file(struct config *config, const struct setting *setting, const char *variable, const char *path,
		 struct fault *ret_fault)
{
	size_t plain_len = strlen(variable) - strlen(FILE_SUFFIX);
	const char *plain = arena_memdup(&config->arena, variable, plain_len);
	const char *value;

	if (*path == '\0')
		return OK; /* as good as not set: how a file for Compose takes back what it names */
	if (getenv(plain) != NULL)
		return fault_set(ret_fault, ERR_INVALID, "bad_setting", NULL,
				 "%s and %s are both set: leave one of them out.", plain, variable);
	TRY(read_value_file(config, path, variable, &value, ret_fault));
	if (config_table_assign(config, setting, value, variable, NULL) == OK)
		return OK;
	return fault_set(ret_fault, ERR_INVALID, "bad_setting", NULL,
			 "%s: what %s holds is no value of this setting; --help says what may stand there.", variable,
			 path);
}

/* The setting whose variable with _FILE after it is `name`, or NULL. */
static const struct setting *
find_by_file_name(struct arena *arena, const char *name)
{
	size_t len = strlen(name), suffix_len = strlen(FILE_SUFFIX);

	if (len <= suffix_len || strcasecmp(name + len - suffix_len, FILE_SUFFIX) != 0)
		return NULL;
	return config_table_find(arena_memdup(arena, name, len - suffix_len), true);
}

static enum status
read_variable(struct config *config, const char *variable, const char *value, struct fault *ret_fault)
{
	char *name = arena_strdup(&config->arena, variable + strlen(ENV_PREFIX));
	const struct setting *setting;

	if (strcmp(name, "BUILD") == 0 || strncmp(name, "FAULT_", strlen("FAULT_")) == 0)
		return OK; /* for scripts, and for faults injected by drills */
	for (char *letter = name; *letter != '\0'; letter++)
		*letter = (char)tolower((unsigned char)*letter);
	setting = config_table_find(name, true);
	if (setting != NULL)
		return config_table_assign(config, setting, value, variable, ret_fault);
	setting = find_by_file_name(&config->arena, name);
	if (setting != NULL)
		return assign_from_file(config, setting, variable, value, ret_fault);
	return refuse_unknown(ret_fault, variable, name);
}

static enum status
read_environment(struct config *config, struct fault *ret_fault)
{
	for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
		const char *equals = strchr(*entry, '=');

		if (equals == NULL || strncmp(*entry, ENV_PREFIX, strlen(ENV_PREFIX)) != 0)
			continue;
		TRY(read_variable(config, arena_memdup(&config->arena, *entry, (size_t)(equals - *entry)), equals + 1,
				  ret_fault));
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
