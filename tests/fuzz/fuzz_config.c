/* Settings: each line of the input is an argument when it begins with --, a variable of the environment when it begins with
 * STONECHAT_, and else a line of the file. What is accepted says the same when it is read again as arguments; what is refused
 * leaves nothing to finish and says where. */
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "config.h"
#include "fuzz.h"

enum { LINES_MAX = 64, NAMES_MAX = 128 };

struct input {
	struct buf file;
	char *variables[LINES_MAX + 1];
	char *arguments[LINES_MAX + 3]; /* the program, --config=..., and those of the input */
	int n_variables, n_arguments;
};

/* The names of all settings, from the file that is printed for people. */
static const char *const *
setting_names(size_t *ret_n)
{
	static const char *names[NAMES_MAX];
	static size_t n;
	char *line = NULL;
	size_t capacity = 0;
	FILE *file = n == 0 ? tmpfile() : NULL;

	if (file) {
		config_print_file(file);
		rewind(file);
		while (getline(&line, &capacity, file) > 0 && n < NAMES_MAX) {
			size_t len = strcspn(line, " =\n");

			if (line[0] == '#' && len > 1 && strchr(line, '='))
				names[n++] = strndup(line + 1, len - 1);
		}
		fclose(file);
		free(line);
		CHECK(n > 20, "%zu settings", n);
	}
	*ret_n = n;
	return names;
}

static void
sort_lines(struct arena *arena, const uint8_t *data, size_t size, struct input *input)
{
	while (size > 0) {
		const uint8_t *newline = memchr(data, '\n', size);
		size_t len = newline ? (size_t)(newline - data) : size;
		char *line = arena_memdup(arena, data, len);

		if (strncmp(line, "--config", 8) == 0)
			; /* the file is ours */
		else if (strncmp(line, "--", 2) == 0 && input->n_arguments < LINES_MAX)
			input->arguments[input->n_arguments++] = line;
		else if (strncmp(line, "STONECHAT_", 10) == 0 && input->n_variables < LINES_MAX)
			input->variables[input->n_variables++] = line;
		else
			buf_append(&input->file, data, newline ? len + 1 : len);
		data += newline ? len + 1 : len;
		size -= newline ? len + 1 : len;
	}
}

static enum status
load(struct config *config, char **arguments, int n_arguments, char **variables, struct fault *ret_fault)
{
	char **environment = environ;
	enum status status;
	int rest = -1;

	environ = variables;
	status = config_load(config, n_arguments, arguments, &rest, ret_fault);
	environ = environment;
	CHECK(status != OK || (rest >= 1 && rest <= n_arguments), "%d", rest);
	return status;
}

static void
check_refusal(const struct config *config, enum status status, const struct fault *fault)
{
	CHECK(status == ERR_INVALID && fault->status == ERR_INVALID && fault->code && fault->detail[0], "%s",
	      status_name(status));
	CHECK(!config->arena.newest && !config->data, "something is left: %s", fault->detail);
}

/* A NUL would hide the rest of its line. */
static bool
has_hidden_rest(const struct buf *file)
{
	const char *nul = file->len ? memchr(file->bytes, '\0', file->len) : NULL;

	return nul && memchr(nul, '\n', (size_t)(file->bytes + file->len - nul));
}

/* The ranges that everybody relies on who reads a setting. */
static void
check_values(const struct config *config)
{
	CHECK(config->port >= 1 && config->port <= 65535 && config->push_port >= 1 && config->push_port <= 65535 &&
		      config->metrics_port >= 1 &&
		      config->metrics_port + config->push_processes + config->api_processes - 1 <= 65535,
	      "%lld %lld %lld", (long long)config->port, (long long)config->push_port, (long long)config->metrics_port);
	CHECK(config->port != config->push_port, "%lld", (long long)config->port);
	CHECK(config->limits_body_bytes >= 1024 && config->limits_body_bytes <= 65536, "%lld",
	      (long long)config->limits_body_bytes);
	CHECK(strlen(config->api_socket) <= 107, "%s", config->api_socket);
	CHECK(config->database_url[0] && config->redis_url[0] && config->push_node[0] && config->data[0], "empty");
	CHECK(config->public_origins != NULL, "no list");
}

static void
check_again(struct arena *arena, struct config *config)
{
	size_t n;
	const char *const *names = setting_names(&n);
	char *arguments[NAMES_MAX + 1] = {"again"}, *no_variables[] = {NULL};
	struct config again;
	struct fault fault = {0};

	for (size_t i = 0; i < n; i++)
		arguments[i + 1] = arena_printf(arena, "--%s=%s", names[i], config_get(config, names[i]));
	CHECK(load(&again, arguments, (int)n + 1, no_variables, &fault) == OK, "%s", fault.detail);
	for (size_t i = 0; i < n; i++)
		CHECK(strcmp(config_get(config, names[i]), config_get(&again, names[i])) == 0, "%s: %s and %s",
		      names[i], config_get(config, names[i]), config_get(&again, names[i]));
	config_finish(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd;
	struct arena arena = {0};
	struct input input = {.arguments = {"fuzz", NULL}, .n_arguments = 2};
	struct config config;
	struct fault fault = {0};
	enum status status;

	if (!fd)
		fd = memfd_create("settings", MFD_CLOEXEC);
	buf_init(&input.file, 0);
	sort_lines(&arena, data, size, &input);
	CHECK(ftruncate(fd, 0) == 0 &&
		      pwrite(fd, input.file.len ? input.file.bytes : "", input.file.len, 0) == (ssize_t)input.file.len,
	      "the file cannot be written");
	input.arguments[1] = arena_printf(&arena, "--config=/proc/self/fd/%d", fd);

	status = load(&config, input.arguments, input.n_arguments, input.variables, &fault);
	if (status == OK) {
		CHECK(!has_hidden_rest(&input.file), "a file with a NUL was accepted");
		check_values(&config);
		check_again(&arena, &config);
		config_finish(&config);
	} else {
		check_refusal(&config, status, &fault);
	}
	buf_finish(&input.file);
	arena_finish(&arena);
	return 0;
}
