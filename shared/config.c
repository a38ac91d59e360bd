/* The table of settings: to add one, add a row here and a field in struct config. Also what values are allowed, which
 * defaults follow from others, and how settings are printed. Where values come from is in config_sources.c. */
#include "config.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "config_sources.h"
#include "config_table.h"

enum kind {
	KIND_TEXT,
	KIND_INT,
	KIND_CHOICE, /* one of `words` */
	KIND_SWITCH, /* one of the two `words`; the first is true */
	KIND_URL,    /* empty, or text that starts with one of `words` */
	KIND_LIST,   /* of such URLs that name an origin, separated by commas */
};

struct setting {
	const char *name;
	enum kind kind;
	const char *standard; /* the default */
	const char *words;    /* separated by | */
	int64_t min, max;     /* KIND_INT */
	const char *unit;     /* or NULL */
	const char *help;
	size_t offset; /* in struct config */
};

enum { NAME_SIZE = 64, PORT_MAX = 65535, UNIX_PATH_MAX_BYTES = 107 /* sockaddr_un */ };

#define AT(field) offsetof(struct config, field)
#define TEXT(name, field, standard, help)                                                                              \
	{                                                                                                              \
		name, KIND_TEXT, standard, NULL, 0, 0, NULL, help, AT(field)                                           \
	}
#define INT(name, field, standard, min, max, unit, help)                                                               \
	{                                                                                                              \
		name, KIND_INT, standard, NULL, min, max, unit, help, AT(field)                                        \
	}
#define WORDS(name, kind, field, standard, words, help)                                                                \
	{                                                                                                              \
		name, kind, standard, words, 0, 0, NULL, help, AT(field)                                               \
	}

static const struct setting settings[] = {
	INT("port", port, "8080", 1, 65535, NULL, "where the site answers (lighttpd)"),
	TEXT("bind", bind, "127.0.0.1", "address on which the site answers (lighttpd)"),
	TEXT("data", data, "var", "folder of the database, keys, sockets and logs"),
	WORDS("database.url", KIND_URL, database_url, "", "sqlite:|postgres://|postgresql://",
	      "sqlite:<path> or postgres://<user>@<host>/<database>; empty: sqlite:<data>/stonechat.db"),
	WORDS("redis.url", KIND_URL, redis_url, "", "unix:|redis://",
	      "unix:<path> or redis://[[<user>]:<password>@]<host>[:<port>]; empty: unix:<data>/run/redis.sock"),
	WORDS("pipeline", KIND_CHOICE, pipeline, "direct", "direct|kafka", "the way of a message into the database"),
	TEXT("kafka.brokers", kafka_brokers, "127.0.0.1:9092",
	     "host:port, separated by commas; used by the pipeline kafka"),
	WORDS("public.origins", KIND_LIST, public_origins, "", "http://|https://",
	      "further origins of pages that may connect, scheme://host[:port] separated by commas"),
	INT("metrics.port", metrics_port, "0", 0, 65535, NULL,
	    "of the first api process, on 127.0.0.1; push processes follow it, then further api processes; 0: port + 10"),
	WORDS("log.level", KIND_CHOICE, log_level, "info", "debug|info|warn|error", "lowest level that is written"),

	TEXT("api.socket", api_socket, "", "unix socket of the api; empty: <data>/run/api.sock"),
	INT("api.threads", api_threads, "32", 1, 1024, NULL, "requests that an api process serves at once"),
	INT("api.processes", api_processes, "1", 1, 64, NULL, "api processes that share the socket"),

	INT("cache.memory_bytes", cache_memory_bytes, "33554432", 0, 1099511627776, "bytes",
	    "of an api's memory, for pages that were read; 0: none are kept"),

	INT("writer.threads", writer_threads, "0", 0, 64, NULL,
	    "of each api and push process that write to the database; 0: 2 on PostgreSQL, 1 on SQLite"),

	INT("push.port", push_port, "0", 0, 65535, NULL, "of the WebSockets; 0: port + 1"),
	TEXT("push.bind", push_bind, "127.0.0.1", "address on which push answers"),
	INT("push.processes", push_processes, "1", 0, 64, NULL,
	    "push processes that share the port; 0: this host has none, others serve the WebSockets"),
	INT("push.drain_ms", push_drain_ms, "10000", 0, 600000, "ms",
	    "after SIGTERM: over how long the WebSockets are sent away, one after the other"),
	TEXT("push.node", push_node, "", "name of this node; empty: the host's name"),

	INT("presence.beat_ms", presence_beat_ms, "15000", 200, 600000, "ms",
	    "between a push process's signs of life; three missing and its people count as gone"),
	INT("presence.grace_ms", presence_grace_ms, "15000", 0, 600000, "ms",
	    "from a person's last WebSocket to being told offline"),
	INT("presence.count_ms", presence_count_ms, "5000", 200, 600000, "ms",
	    "between two counts of who is online in a group of over 250"),

	WORDS("auth.sign_up", KIND_CHOICE, auth_sign_up, "open", "open|invite|closed",
	      "who may sign up, until an administrator says otherwise: invite: with a code"),
	INT("auth.access_token_s", auth_access_token_s, "600", 1, 86400, "s", "life of an access token"),
	INT("auth.refresh_token_s", auth_refresh_token_s, "2592000", 1, 31536000, "s",
	    "life of a session that is not used"),
	INT("auth.one_time_password_s", auth_one_time_password_s, "259200", 1, 31536000, "s",
	    "how long one can log in with a one-time password after an administrator's reset"),
	INT("auth.password_threads", auth_password_threads, "2", 1, 64, NULL, "passwords hashed at once, 19 MiB each"),
	INT("auth.password_queue", auth_password_queue, "14", 1, 65536, NULL,
	    "passwords that wait to be hashed, as far as half of api.threads stay free; more are refused with 503"),

	INT("limits.body_bytes", limits_body_bytes, "65536", 1024, 65536, "bytes", "body of a request"),
	INT("limits.request_idle_s", limits_request_idle_s, "10", 1, 600, "s",
	    "silence in the middle of a request, after which lighttpd ends the connection"),
	INT("limits.sockets_per_user", limits_sockets_per_user, "16", 1, 100000, NULL, "WebSockets of one user"),
	INT("limits.accepts_per_second", limits_accepts_per_second, "1000", 1, 10000000, NULL,
	    "connections that a push process accepts, sustained; more are refused with 503"),
	INT("limits.accepts_burst", limits_accepts_burst, "2000", 1, 10000000, NULL,
	    "connections that a push process accepts at once"),
	INT("limits.handshakes", limits_handshakes, "2000", 1, 10000000, NULL,
	    "connections of a push process that have not had their hello yet"),
	INT("limits.frames_per_second", limits_frames_per_second, "20", 1, 10000000, NULL,
	    "frames from one WebSocket, sustained"),
	INT("limits.frames_burst", limits_frames_burst, "60", 1, 10000000, NULL, "frames from one WebSocket at once"),
	INT("limits.frame_bytes", limits_frame_bytes, "65536", 1024, 1048576, "bytes", "frame from a client"),
	INT("limits.auth_ms", limits_auth_ms, "5000", 100, 600000, "ms", "from connecting to the auth frame"),
	INT("limits.heartbeat_ms", limits_heartbeat_ms, "25000", 100, 600000, "ms", "between pings of the server"),
	TEXT("limits.trusted_proxies", limits_trusted_proxies, "",
	     "proxies in front of lighttpd whose X-Forwarded-For is believed: addresses and CIDR blocks, separated by commas"),
	INT("limits.general_per_minute", limits_general_per_minute, "3000", 0, 10000000, NULL,
	    "other requests of a person, else of an address, sustained; 0: not limited"),
	INT("limits.general_burst", limits_general_burst, "600", 1, 1000000, NULL,
	    "other requests of a person, else of an address at once"),
	INT("limits.send_per_minute", limits_send_per_minute, "600", 0, 10000000, NULL,
	    "messages, edits, deletions and reactions of a person on all devices, sustained; 0: not limited"),
	INT("limits.send_burst", limits_send_burst, "200", 1, 1000000, NULL,
	    "messages, edits, deletions and reactions of a person on all devices at once"),
	INT("limits.search_per_minute", limits_search_per_minute, "240", 0, 10000000, NULL,
	    "searches for people of a person, sustained; 0: not limited"),
	INT("limits.search_burst", limits_search_burst, "60", 1, 1000000, NULL,
	    "searches for people of a person at once"),
	INT("limits.sign_up_per_minute", limits_sign_up_per_minute, "10", 0, 10000000, NULL,
	    "new accounts of an address, sustained; 0: not limited"),
	INT("limits.sign_up_burst", limits_sign_up_burst, "30", 1, 1000000, NULL, "new accounts of an address at once"),
	INT("limits.log_in_per_minute", limits_log_in_per_minute, "60", 0, 10000000, NULL,
	    "log-ins of an address, sustained; 0: not limited"),
	INT("limits.log_in_burst", limits_log_in_burst, "60", 1, 1000000, NULL, "log-ins of an address at once"),
	INT("limits.log_in_delay_max_s", limits_log_in_delay_max_s, "60", 0, 3600, "s",
	    "longest wait after wrong passwords for one name from one address; doubles from 1 s on; 0: none"),
};

enum { N_SETTINGS = sizeof settings / sizeof settings[0] };

_Static_assert((int)N_SETTINGS <= (int)CONFIG_TABLE_MAX, "config_table.h holds a flag per setting");

static bool
same_letter(char a, char b)
{
	return a == b || ((a == '.' || a == '_') && (b == '.' || b == '_'));
}

/* Levenshtein's distance, in which a dot and an underscore are the same; the length counts at most NAME_SIZE. */
static size_t
distance(const char *one, const char *other)
{
	size_t row[NAME_SIZE + 1];
	size_t len = strnlen(other, NAME_SIZE);

	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 0; one[i] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 1; j <= len; j++) {
			size_t best = diagonal + !same_letter(one[i], other[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[len];
}

const char *
config_table_nearest(const char *name)
{
	const struct setting *nearest = &settings[0];

	for (size_t i = 1; i < N_SETTINGS; i++) {
		if (distance(settings[i].name, name) < distance(nearest->name, name))
			nearest = &settings[i];
	}
	return nearest->name;
}

const struct setting *
config_table_find(const char *name, bool is_variable)
{
	for (size_t i = 0; i < N_SETTINGS; i++) {
		if (is_variable ? distance(settings[i].name, name) == 0 : strcmp(settings[i].name, name) == 0)
			return &settings[i];
	}
	return NULL;
}

size_t
config_table_index(const struct setting *setting)
{
	return (size_t)(setting - settings);
}

/* Whether `text` is one of the words, or starts with one. */
static bool
matches_word(const char *words, const char *text, bool whole)
{
	while (*words != '\0') {
		size_t len = strcspn(words, "|");

		if (strncmp(words, text, len) == 0 && (!whole || text[len] == '\0'))
			return true;
		words += len + (words[len] == '|');
	}
	return false;
}

static enum status
refuse(struct fault *ret_fault, const struct setting *setting, const char *where, const char *text, const char *wanted)
{
	return fault_set(ret_fault, ERR_INVALID, "bad_setting", setting->name, "%s: %s must be %s, not \"%s\".", where,
			 setting->name, wanted, text);
}

static bool
is_origin(const char *words, const char *text)
{
	const char *host = strstr(text, "://");

	return host != NULL && matches_word(words, text, false) && host[3] != '\0' &&
	       strpbrk(host + 3, "/?#@ \t") == NULL;
}

static enum status
assign_list(struct config *config, const struct setting *setting, const char *text, const char *where,
	    struct fault *ret_fault)
{
	char *rest = arena_strdup(&config->arena, text + strspn(text, " "));
	const char **items = arena_alloc(&config->arena, (strlen(text) + 2) * sizeof *items);
	size_t n_items = 0;

	while (*rest != '\0') {
		char *item = rest;
		size_t len = strcspn(item, ", ");

		rest += len;
		rest += strspn(rest, ", ");
		item[len] = '\0';
		if (!is_origin(setting->words, item))
			return refuse(ret_fault, setting, where, item, "a list of http[s]://host[:port]");
		items[n_items++] = item;
	}
	*(const char ***)((char *)config + setting->offset) = items;
	return OK;
}

static enum status
assign_int(struct config *config, const struct setting *setting, const char *text, const char *where,
	   struct fault *ret_fault)
{
	long long value;

	if (!text_to_int64(text, &value) || value < setting->min || value > setting->max)
		return refuse(ret_fault, setting, where, text,
			      arena_printf(&config->arena, "a whole number from %lld to %lld", (long long)setting->min,
					   (long long)setting->max));
	*(int64_t *)((char *)config + setting->offset) = value;
	return OK;
}

static enum status
assign_text(struct config *config, const struct setting *setting, const char *text, const char *where,
	    struct fault *ret_fault)
{
	bool whole = setting->kind == KIND_CHOICE || setting->kind == KIND_SWITCH;
	char *field = (char *)config + setting->offset;
	size_t len = strlen(text);

	if (setting->kind == KIND_TEXT && len == 0 && *setting->standard != '\0')
		return refuse(ret_fault, setting, where, text, "some text");
	if (setting->kind == KIND_URL && len > 0 && !matches_word(setting->words, text, false))
		return refuse(ret_fault, setting, where,
			      arena_printf(&config->arena, "%.*s...", (int)strcspn(text, "/@"), text), /* no password */
			      arena_printf(&config->arena, "empty or start with %s", setting->words));
	if (whole && !matches_word(setting->words, text, whole))
		return refuse(ret_fault, setting, where, text,
			      arena_printf(&config->arena, "one of %s", setting->words));
	if (setting->kind == KIND_SWITCH)
		*(bool *)field = strncmp(setting->words, text, len) == 0 && setting->words[len] == '|';
	else
		*(const char **)field = arena_strdup(&config->arena, text);
	return OK;
}

enum status
config_table_assign(struct config *config, const struct setting *setting, const char *text, const char *where,
		    struct fault *ret_fault)
{
	if (!text_is_utf8(text, strlen(text)) || text_has_control(text, ""))
		return refuse(ret_fault, setting, where, "...", "UTF-8 text without control characters");
	switch (setting->kind) {
	case KIND_INT:
		return assign_int(config, setting, text, where, ret_fault);
	case KIND_LIST:
		return assign_list(config, setting, text, where, ret_fault);
	case KIND_TEXT:
	case KIND_URL:
	case KIND_CHOICE:
	case KIND_SWITCH:
		break;
	}
	return assign_text(config, setting, text, where, ret_fault);
}

int64_t
config_api_metrics_port(const struct config *config, int64_t number)
{
	return config->metrics_port + (number > 1 ? config->push_processes + number - 1 : 0);
}

int64_t
config_push_metrics_port(const struct config *config, int64_t number)
{
	return config->metrics_port + number;
}

/* Defaults that follow from other settings. */
static enum status
derive_ports(struct config *config, struct fault *ret_fault)
{
	if (config->push_port == 0)
		config->push_port = config->port + 1;
	if (config->metrics_port == 0)
		config->metrics_port = config->port + 10;
	if (config->push_port > PORT_MAX || config_api_metrics_port(config, config->api_processes) > PORT_MAX ||
	    config_push_metrics_port(config, config->push_processes) > PORT_MAX)
		return fault_set(ret_fault, ERR_INVALID, "bad_setting", "port",
				 "The ports that follow from port %" PRId64 " pass %d: choose a lower one.",
				 config->port, PORT_MAX);
	if (config->push_port == config->port)
		return fault_set(ret_fault, ERR_INVALID, "bad_setting", "push.port",
				 "port and push.port are both %" PRId64 ": choose another one for push.", config->port);
	return OK;
}

static enum status
check_socket_path(const char *path, const char *name, struct fault *ret_fault)
{
	if (strlen(path) <= UNIX_PATH_MAX_BYTES)
		return OK;
	return fault_set(
		ret_fault, ERR_INVALID, "bad_setting", name,
		"The path in %s is %zu bytes long, but that of a unix socket at most %d: choose a shorter folder.",
		name, strlen(path), UNIX_PATH_MAX_BYTES);
}

static enum status
derive_places(struct config *config, struct fault *ret_fault)
{
	char host[256] = "";

	if (*config->database_url == '\0')
		config->database_url = arena_printf(&config->arena, "sqlite:%s/stonechat.db", config->data);
	if (*config->redis_url == '\0')
		config->redis_url = arena_printf(&config->arena, "unix:%s/run/redis.sock", config->data);
	if (*config->api_socket == '\0')
		config->api_socket = arena_printf(&config->arena, "%s/run/api.sock", config->data);
	if (*config->push_node == '\0') {
		gethostname(host, sizeof host - 1);
		config->push_node = arena_strdup(&config->arena, *host == '\0' ? "stonechat" : host);
	}
	TRY(check_socket_path(config->api_socket, "api.socket", ret_fault));
	if (strncmp(config->redis_url, "unix:", strlen("unix:")) == 0)
		TRY(check_socket_path(config->redis_url + strlen("unix:"), "redis.url", ret_fault));
	return OK;
}

static enum status
load(struct config *config, int argc, char **argv, int *ret_rest, struct fault *ret_fault)
{
	for (size_t i = 0; i < N_SETTINGS; i++)
		TRY(config_table_assign(config, &settings[i], settings[i].standard, "default", ret_fault));
	TRY(config_sources_read(config, argc, argv, ret_rest, ret_fault));
	TRY(derive_ports(config, ret_fault));
	return derive_places(config, ret_fault);
}

enum status
config_load(struct config *config, int argc, char **argv, int *ret_rest, struct fault *ret_fault)
{
	enum status status;

	*config = (struct config){0};
	status = load(config, argc, argv, ret_rest, ret_fault);
	if (status != OK)
		config_finish(config);
	return status;
}

void
config_finish(struct config *config)
{
	arena_finish(&config->arena);
	*config = (struct config){0};
}

static const char *
list_to_text(struct config *config, const char *const *items)
{
	const char *text = "";

	for (size_t i = 0; items[i] != NULL; i++)
		text = arena_printf(&config->arena, "%s%s%s", text, i == 0 ? "" : ",", items[i]);
	return text;
}

const char *
config_get(struct config *config, const char *name)
{
	const struct setting *setting = config_table_find(name, false);
	const char *field;

	if (setting == NULL)
		return NULL;
	field = (const char *)config + setting->offset;
	switch (setting->kind) {
	case KIND_INT:
		return arena_printf(&config->arena, "%" PRId64, *(const int64_t *)field);
	case KIND_LIST:
		return list_to_text(config, *(const char *const *const *)field);
	case KIND_SWITCH:
		return *(const bool *)field ? arena_memdup(&config->arena, setting->words, strcspn(setting->words, "|"))
					    : strchr(setting->words, '|') + 1;
	case KIND_TEXT:
	case KIND_CHOICE:
	case KIND_URL:
		break;
	}
	return *(const char *const *)field;
}

/* What may stand there: " [1 to 65535]", " [open|closed]". */
static void
print_range(FILE *out, const struct setting *setting)
{
	if (setting->kind == KIND_INT)
		fprintf(out, " [%" PRId64 " to %" PRId64 "%s%s]", setting->min, setting->max,
			setting->unit == NULL ? "" : " ", setting->unit == NULL ? "" : setting->unit);
	else if (setting->kind == KIND_CHOICE || setting->kind == KIND_SWITCH)
		fprintf(out, " [%s]", setting->words);
}

void
config_print_help(FILE *out)
{
	fputs("Settings, here with their defaults: --a.b=VALUE, or STONECHAT_A_B in the environment, or a.b = VALUE in\n"
	      "the file that --config FILE names; a flag wins over the environment, the environment over the file. A secret\n"
	      "stands better in a file of its own, which STONECHAT_A_B_FILE names.\n\n",
	      out);
	for (size_t i = 0; i < N_SETTINGS; i++) {
		const struct setting *setting = &settings[i];
		int width = 36 - (int)strlen(setting->name);

		fprintf(out, "  --%s=%-*s  %s", setting->name, width, setting->standard, setting->help);
		print_range(out, setting);
		fputc('\n', out);
	}
}

void
config_print_file(FILE *out)
{
	fputs("# Every setting of Stonechat with its default. Take the # away to change one, and name this file by\n"
	      "# --config. A setting a.b is also STONECHAT_A_B in the environment and --a.b=VALUE on the command line;\n"
	      "# both win over this file. STONECHAT_A_B_FILE names a file that holds the value: for secrets.\n",
	      out);
	for (size_t i = 0; i < N_SETTINGS; i++) {
		fprintf(out, "\n# %s", settings[i].help);
		print_range(out, &settings[i]);
		fprintf(out, "\n#%s =%s%s\n", settings[i].name, *settings[i].standard == '\0' ? "" : " ",
			settings[i].standard);
	}
}
