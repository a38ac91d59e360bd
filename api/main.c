/* stonechat-api: the REST server. Starts what its handlers share, serves until SIGTERM or SIGINT, and ends in the reverse
 * order: requests first, then the writer, which commits what it still has. */
#include <signal.h>
#include <unistd.h>

#include "app.h"
#include "base/clock.h"
#include "crew.h"
#include "db/migrate.h"
#include "ending.h"
#include "fcgi.h"
#include "json.h"
#include "log.h"
#include "metrics_http.h"
#include "program.h"
#include "retirer.h"

struct parts {
	struct config config;
	struct crew crew;
	int listener; /* of all processes */
	struct app app;
	struct db_keeper *keeper;
	struct metrics_http *metrics;
	struct retirer *retirer;
	struct fcgi *fcgi;
};

static const struct program program = {
	.name = "stonechat-api",
	.purpose = "Stonechat's REST server, by FastCGI on api.socket",
};

/* Who logs in holds a thread until the password is hashed: the others serve everybody else meanwhile. */
static size_t
password_queue_max(const struct config *config)
{
	int64_t half = config->api_threads / 2 - config->auth_password_threads;

	if (config->auth_password_queue <= half)
		return (size_t)config->auth_password_queue;
	log_info("password_queue", LOG_I("asked", config->auth_password_queue), LOG_I("used", half > 1 ? half : 1));
	return (size_t)(half > 1 ? half : 1);
}

static enum status
start_limits(struct parts *parts, struct fault *ret_fault)
{
	const struct rate_limits limits = rate_limit_settings(&parts->config);
	struct client_proxies *proxies;

	TRY(client_proxies_parse(parts->config.limits_trusted_proxies, &parts->config.arena, &proxies, ret_fault));
	parts->app.proxies = proxies;
	return rate_limit_create(&limits, parts->config.redis_url, &parts->app.limiter, ret_fault);
}

static enum status
start(struct parts *parts, struct fault *ret_fault)
{
	const struct config *config = &parts->config;
	struct app *app = &parts->app;

	app->config = config;
	TRY(migrate_check_url(config->database_url, ret_fault));
	TRY(token_key_load(config->data, &app->token_key, ret_fault));
	TRY(bus_create(config->redis_url, &app->bus, ret_fault));
	TRY(start_limits(parts, ret_fault));
	TRY(redis_create(config->redis_url, &app->redis, ret_fault));
	app->cache = cache_create((size_t)config->cache_memory_bytes);
	TRY(writer_create(config->database_url, (size_t)config->writer_threads, app->bus, &app->writer, ret_fault));
	TRY(pipeline_create(config->pipeline, app->writer, &app->pipeline, ret_fault));
	TRY(db_keeper_start(config->database_url, &parts->keeper, ret_fault));
	TRY(retirer_start(config->database_url, app->writer, &parts->retirer, ret_fault));
	TRY(metrics_http_start(config_api_metrics_port(config, parts->crew.number), &parts->metrics, ret_fault));
	app->passwords = password_pool_create((size_t)config->auth_password_threads, password_queue_max(config));
	return fcgi_start(app, parts->listener, &parts->fcgi, ret_fault);
}

static void
unlisten(void *context)
{
	struct parts *parts = context;

	fcgi_unlisten(parts->config.api_socket, parts->listener);
}

/* The parent's work, where there is none. One that has lost its parent leaves the path to the successor. */
static void
unlisten_if_alone(struct parts *parts)
{
	if (parts->crew.n_processes <= 1)
		unlisten(parts);
	else if (crew_is_alone(&parts->crew))
		fcgi_unlisten(NULL, parts->listener);
}

/* Releases what was started, also when not everything was. */
static void
stop(struct parts *parts)
{
	struct app *app = &parts->app;

	unlisten_if_alone(parts);
	if (parts->fcgi && !fcgi_stop(parts->fcgi)) {
		/* A request that does not end: nothing of it has been acknowledged, and everything acknowledged is
		 * committed. Its thread uses what would be released below. */
		log_warn("stop", LOG_S("detail", "a request did not end in time"));
		_exit(0);
	}
	password_pool_destroy(app->passwords);
	metrics_http_stop(parts->metrics);
	retirer_stop(parts->retirer);
	db_keeper_stop(parts->keeper);
	pipeline_destroy(app->pipeline);
	writer_destroy(app->writer);
	rate_limit_destroy(app->limiter);
	bus_destroy(app->bus);
	cache_destroy(app->cache);
	redis_destroy(app->redis);
	config_finish(&parts->config);
}

/* The listener is there before the processes that share it. */
static int
begin(struct parts *parts, int argc, char **argv)
{
	struct fault fault = {0};
	int rest, done = program_begin(&program, &parts->config, argc, argv, &rest);

	if (done != PROGRAM_GOES_ON)
		return done;
	parts->crew.n_processes = (int)parts->config.api_processes;
	signal(SIGPIPE, SIG_IGN);
	if (fcgi_listen(parts->config.api_socket, &parts->listener, &fault) != OK)
		done = program_give_up(program.name, PROGRAM_FAILED, fault.detail);
	else
		done = crew_begin(&parts->crew);
	if (done != PROGRAM_GOES_ON)
		config_finish(&parts->config);
	return done;
}

static void
serve_until_told(struct parts *parts, const sigset_t *signals)
{
	struct ending ending = {0};
	int received;

	crew_ready(&parts->crew);
	log_info("started", LOG_S("socket", parts->config.api_socket), LOG_I("threads", parts->config.api_threads));
	sigwait(signals, &received);
	log_info("stopping", LOG_S("signal", received == SIGTERM ? "TERM" : "INT"));
	ending_note(&ending, received, clock_monotonic_ms());
	ending_catch(&ending); /* past libfcgi's own handlers, which only note a signal */
}

int
main(int argc, char **argv)
{
	static struct parts parts;
	struct fault fault = {0};
	sigset_t signals;
	int done;

	parts.crew = (struct crew){.end = unlisten, .context = &parts};
	done = begin(&parts, argc, argv);
	if (done != PROGRAM_GOES_ON)
		return done;
	ending_hold(&signals);
	json_init();
	if (start(&parts, &fault) != OK) {
		stop(&parts);
		return program_give_up(program.name, PROGRAM_FAILED, fault.detail);
	}
	serve_until_told(&parts, &signals);
	stop(&parts);
	return PROGRAM_DONE;
}
