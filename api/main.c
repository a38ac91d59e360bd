/* stonechat-api: the REST server. Starts what its handlers share, serves until SIGTERM or SIGINT, and ends in the reverse
 * order: requests first, then the writer, which commits what it still has. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app.h"
#include "db/db.h"
#include "db/migrate.h"
#include "fcgi.h"
#include "json.h"
#include "log.h"
#include "metrics_http.h"

struct parts {
	struct config config;
	struct app app;
	struct db_keeper *keeper;
	struct metrics_http *metrics;
	struct fcgi *fcgi;
};

static int
fail(const struct fault *fault)
{
	fprintf(stderr, "stonechat-api: %s\n", fault->detail);
	return 1;
}

static void
print_help(void)
{
	printf("stonechat-api: Stonechat's REST server, by FastCGI on api.socket.\n\n"
	       "usage: stonechat-api [--config FILE] [--SETTING=VALUE ...]\n\nsettings:\n");
	config_print_help(stdout);
}

/* Whether the database is there and of the right schema. */
static enum status
check_database(const char *url, struct fault *ret_fault)
{
	struct db *db;

	TRY(db_open(url, DB_ACCESS_READ, &db, ret_fault));
	enum status status = migrate_check(db, ret_fault);
	db_close(db);
	return status;
}

static enum status
start(struct parts *parts, struct fault *ret_fault)
{
	const struct config *config = &parts->config;
	struct app *app = &parts->app;

	app->config = config;
	TRY(check_database(config->database_url, ret_fault));
	TRY(token_key_load(config->data, &app->token_key, ret_fault));
	TRY(bus_create(config->redis_url, &app->bus, ret_fault));
	TRY(writer_create(config->database_url, app->bus, &app->writer, ret_fault));
	TRY(pipeline_create(config->pipeline, app->writer, &app->pipeline, ret_fault));
	TRY(db_keeper_start(config->database_url, &parts->keeper, ret_fault));
	TRY(metrics_http_start(config->metrics_port, &parts->metrics, ret_fault));
	app->passwords =
		password_pool_create((size_t)config->auth_password_threads, (size_t)config->auth_password_queue);
	return fcgi_start(app, &parts->fcgi, ret_fault);
}

/* Releases what was started, also when not everything was. */
static void
stop(struct parts *parts)
{
	struct app *app = &parts->app;

	if (parts->fcgi && !fcgi_stop(parts->fcgi)) {
		/* A request that does not end: nothing of it has been acknowledged, and everything acknowledged is
		 * committed. Its thread uses what would be released below. */
		log_warn("stop", LOG_S("detail", "a request did not end in time"));
		_exit(0);
	}
	password_pool_destroy(app->passwords);
	metrics_http_stop(parts->metrics);
	db_keeper_stop(parts->keeper);
	pipeline_destroy(app->pipeline);
	writer_destroy(app->writer);
	bus_destroy(app->bus);
	config_finish(&parts->config);
}

/* From here on only sigwait in main sees the signals that end the program. */
static void
hold_signals(sigset_t *ret_signals)
{
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(ret_signals);
	sigaddset(ret_signals, SIGTERM);
	sigaddset(ret_signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, ret_signals, NULL);
}

/* -1 to go on, else the program's exit status. */
static int
read_arguments(struct config *config, int argc, char **argv)
{
	struct fault fault = {0};
	int rest = argc;
	enum status status = config_load(config, argc, argv, &rest, &fault);

	if (status == OK && rest < argc && strcmp(argv[rest], "--help") == 0) {
		print_help();
		config_finish(config);
		return 0;
	}
	if (status == OK && rest < argc)
		status = fault_set(&fault, ERR_INVALID, "argument", NULL, "%s: not known; --help lists what is.",
				   argv[rest]);
	return status == OK ? -1 : fail(&fault);
}

int
main(int argc, char **argv)
{
	static struct parts parts;
	struct fault fault = {0};
	sigset_t signals;
	int received, done = read_arguments(&parts.config, argc, argv);

	if (done >= 0)
		return done;
	hold_signals(&signals);
	log_init("stonechat-api", parts.config.log_level);
	json_init();
	if (start(&parts, &fault) != OK) {
		stop(&parts);
		return fail(&fault);
	}
	log_info("started", LOG_S("socket", parts.config.api_socket), LOG_I("threads", parts.config.api_threads));
	sigwait(&signals, &received);
	log_info("stopping", LOG_S("signal", received == SIGTERM ? "TERM" : "INT"));
	stop(&parts);
	return 0;
}
