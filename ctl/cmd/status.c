/* stonechat status: whether this host's site is ready, and every process that its settings ask for, by what each tells of
 * itself on its metrics port. The exit status is 1 when one is missing or the site is not ready. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cmd.h"
#include "fetch.h"
#include "program.h"

enum { TIMEOUT_MS = 2000, UNTOLD = -1 };

struct report {
	struct config *config;
	bool json;
	bool complete; /* all is there and ready */
};

/* What a process tells of itself; UNTOLD where it does not. */
struct process {
	const char *program;
	int64_t number, port;
	bool there;
	int64_t id, memory_bytes, started_at_ms, restarts, sockets, redis_up;
};

static double
value_of(const char *metrics, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = metrics; at != NULL; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, name, len) == 0 && at[len] == ' ')
			return strtod(at + len, NULL);
	}
	return UNTOLD;
}

static void
ask(struct process *process)
{
	CLEANUP(buf_finish) struct buf body = {0};

	process->there = fetch("127.0.0.1", process->port, "/metrics", TIMEOUT_MS, &body) == 200 && body.len > 0;
	if (!process->there)
		return;
	process->id = (int64_t)value_of(body.bytes, "stonechat_process_id");
	process->memory_bytes = (int64_t)value_of(body.bytes, "process_resident_memory_bytes");
	process->started_at_ms = (int64_t)(value_of(body.bytes, "process_start_time_seconds") * 1000);
	process->restarts = (int64_t)value_of(body.bytes, "stonechat_process_restarts_total");
	process->sockets = (int64_t)value_of(body.bytes, "stonechat_sockets");
	process->redis_up = (int64_t)value_of(body.bytes, "stonechat_bus_up");
}

static json_t *
number_or_null(int64_t number)
{
	return number == UNTOLD ? json_null() : json_integer(number);
}

static void
print_json(json_t *object)
{
	CLEANUP_FREE char *text = json_dumps(object, JSON_COMPACT);

	json_decref(object);
	if (text == NULL)
		abort();
	puts(text);
}

static void
print_process_json(const struct process *process)
{
	char started_at[CLOCK_TEXT_SIZE];

	if (!process->there) {
		print_json(json_pack("{s:s, s:I, s:I, s:b}", "program", process->program, "process",
				     (json_int_t)process->number, "metrics_port", (json_int_t)process->port, "there",
				     0));
		return;
	}
	clock_format(process->started_at_ms, started_at);
	print_json(json_pack("{s:s, s:I, s:I, s:b, s:o, s:o, s:s, s:o, s:o, s:s}", "program", process->program,
			     "process", (json_int_t)process->number, "metrics_port", (json_int_t)process->port, "there",
			     1, "pid", number_or_null(process->id), "memory_bytes",
			     number_or_null(process->memory_bytes), "started_at", started_at, "restarts",
			     number_or_null(process->restarts), "sockets", number_or_null(process->sockets), "redis",
			     process->redis_up == 1 ? "ok" : "degraded"));
}

static void
print_process(const struct process *process)
{
	char started_at[CLOCK_TEXT_SIZE], sockets[24] = "-";

	if (!process->there) {
		printf("%-14s %7" PRId64 "  not there: nobody answers on the metrics port %" PRId64 "\n",
		       process->program, process->number, process->port);
		return;
	}
	clock_format(process->started_at_ms, started_at);
	if (process->sockets != UNTOLD)
		snprintf(sockets, sizeof sockets, "%" PRId64, process->sockets);
	printf("%-14s %7" PRId64 "  %7" PRId64 "  %s  %5" PRId64 " MB  %8" PRId64 "  %7s  %s\n", process->program,
	       process->number, process->id, started_at, process->memory_bytes / 1000000, process->restarts, sockets,
	       process->redis_up == 1 ? "ok" : "degraded");
}

static void
report_process(struct report *report, const char *program, int64_t number, int64_t port)
{
	struct process process = {.program = program, .number = number, .port = port};

	ask(&process);
	report->complete = report->complete && process.there;
	if (report->json)
		print_process_json(&process);
	else
		print_process(&process);
}

/* What GET /readyz says through the web server. */
static void
report_site(struct report *report)
{
	const struct config *config = report->config;
	CLEANUP(buf_finish) struct buf body = {0};
	int status = fetch(config->bind, config->port, "/readyz", TIMEOUT_MS, &body);
	json_t *told = json_loads(body.len > 0 ? body.bytes : "null", JSON_DECODE_ANY, NULL);

	report->complete = status == 200;
	if (report->json) {
		print_json(json_pack("{s:i, s:o}", "readyz", status, "told", told != NULL ? told : json_null()));
		return;
	}
	printf("%s port %" PRId64 ": ", config->bind, config->port);
	if (json_is_object(told) && json_string_value(json_object_get(told, "push")) != NULL)
		printf("%s (database %s, redis %s, push %s)\n\n", status == 200 ? "ready" : "not ready",
		       json_string_value(json_object_get(told, "database")),
		       json_string_value(json_object_get(told, "redis")),
		       json_string_value(json_object_get(told, "push")));
	else
		printf("%s\n\n", status == 0 ? "nobody answers (lighttpd)" : "lighttpd is there, and nobody behind it");
	json_decref(told);
}

int
cmd_status(struct config *config, int argc, char **argv)
{
	struct report report = {.config = config, .json = argc == 1 && strcmp(argv[0], "--json") == 0};

	if (argc > (report.json ? 1 : 0))
		return program_give_up("stonechat status", PROGRAM_CALLED_WRONGLY, "Nothing may follow but --json.");
	report_site(&report);
	if (!report.json)
		printf("%-14s process  %7s  %-24s  %8s  restarts  sockets  redis\n", "program", "pid", "since",
		       "memory");
	for (int64_t n = 1; n <= config->api_processes; n++)
		report_process(&report, "stonechat-api", n, config_api_metrics_port(config, n));
	for (int64_t n = 1; n <= config->push_processes; n++)
		report_process(&report, "stonechat-push", n, config_push_metrics_port(config, n));
	return report.complete ? PROGRAM_DONE : PROGRAM_FAILED;
}
