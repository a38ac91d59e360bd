/* stonechat-push: the WebSocket daemon. Reads the settings, puts the parts together on one loop, and takes them apart
 * again in the order that the libraries need. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "bus.h"
#include "config.h"
#include "crew.h"
#include "db/migrate.h"
#include "ending.h"
#include "hub.h"
#include "json.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "metrics_http.h"
#include "pipeline/submit.h"
#include "presence.h"
#include "program.h"
#include "rate_limit.h"
#include "session.h"
#include "storage.h"
#include "store/meta.h"
#include "token.h"
#include "wheel.h"
#include "ws.h"

enum {
	STORAGE_THREADS = 2,
	DESCRIPTORS_MAX = 20000, /* the WebSocket library goes through a table of this size at each close */
	FAREWELL_MS = 1500,      /* for close frames to be answered */
	DRAIN_LOOK_MS = 20,
	PROBE_MS = 5000,       /* between two looks at the database, and how long one may take */
	PROBE_AGAIN_MS = 1000, /* after one that failed */
};

static const struct program program = {
	.name = "stonechat-push",
	.purpose = "Stonechat's WebSocket server",
};

struct app {
	struct config config;
	struct crew crew;
	struct token_key token_key;
	char node[128];
	struct bus *bus;
	struct rate_limiter *limiter;
	struct writer *writer;
	struct db_keeper *keeper;
	struct pipeline *pipeline;
	struct loop *loop;
	struct storage *storage;
	struct wheel *wheel;
	struct hub *hub;
	struct presence_daemon *presence;
	struct session_server *sessions;
	struct ws_handlers handlers;
	struct ws *ws;
	struct metrics_http *metrics;
	struct ending ending;
	sigset_t signals;
	int signal_fd;
	uv_poll_t on_told;
	uv_timer_t drain, probe_timer;
	int64_t drain_until_ms;
	bool draining, ready, probing;
};

/* Readiness: the database has answered a moment ago, through the threads that serve the sockets. */

struct probe {
	struct storage_job job;
	struct app *app;
};

static void
set_ready(struct app *app, bool ready)
{
	if (ready != app->ready)
		log_info("readiness", LOG_S("database", ready ? "ok" : "failed"));
	app->ready = ready;
	ws_set_ready(app->ws, ready);
}

static void
probe_work(struct storage_job *job, struct db *db)
{
	job->status = meta_check_serving(db, &job->fault);
}

static void on_probe_timer(uv_timer_t *timer);

static void
probe_done(struct storage_job *job)
{
	struct app *app = ((struct probe *)job)->app;

	app->probing = false;
	if (!app->draining) {
		set_ready(app, job->status == OK);
		if (job->status != OK)
			uv_timer_start(&app->probe_timer, on_probe_timer, PROBE_AGAIN_MS, 0);
	}
	arena_finish(&job->arena);
	free(job);
}

static void
submit_probe(struct app *app)
{
	struct probe *probe = calloc(1, sizeof *probe);

	if (probe == NULL)
		abort();
	probe->app = app;
	probe->job.work = probe_work;
	probe->job.done = probe_done;
	app->probing = true;
	storage_submit(app->storage, &probe->job);
}

static void
on_probe_timer(uv_timer_t *timer)
{
	struct app *app = timer->data;

	uv_timer_start(timer, on_probe_timer, PROBE_MS, 0);
	if (app->probing)
		set_ready(app, false); /* no answer in all that time */
	else
		submit_probe(app);
}

/* End. */

static void
on_drain(uv_timer_t *timer)
{
	struct app *app = timer->data;

	session_server_close_due(app->sessions);
	if (ws_n_open(app->ws) == 0 || clock_monotonic_ms() >= app->drain_until_ms)
		loop_stop(app->loop);
}

/* What a successor of this process needs to start while the sockets here take their leave. */
static void
free_ports(struct app *app)
{
	ws_stop_listening(app->ws);
	metrics_http_stop(app->metrics);
	app->metrics = NULL;
}

static void
begin_drain(struct app *app, const char *signal_name, int64_t within_ms)
{
	app->draining = true;
	ws_set_ready(app->ws, false);
	uv_timer_stop(&app->probe_timer);
	log_info("draining", LOG_S("signal", signal_name), LOG_I("sockets", ws_n_open(app->ws)),
		 LOG_I("within_ms", within_ms));
	free_ports(app);
	session_server_drain(app->sessions, within_ms);
	app->drain_until_ms = clock_monotonic_ms() + within_ms + FAREWELL_MS;
	uv_timer_start(&app->drain, on_drain, 0, DRAIN_LOOK_MS);
}

/* SIGTERM gives the sockets time to go one after the other, SIGINT closes them all; a second request by either ends at once. */
static void
on_told(uv_poll_t *handle, int status, int events)
{
	struct app *app = handle->data;
	struct signalfd_siginfo info;

	(void)status, (void)events;
	while (read(app->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
		int number = (int)info.ssi_signo;
		enum ending_step step = ending_note(&app->ending, number, clock_monotonic_ms());

		if (step == ENDING_HURRIES)
			_exit(PROGRAM_DONE); /* what was acknowledged is committed */
		if (step == ENDING_BEGINS && number == SIGINT)
			begin_drain(app, "SIGINT", 0);
		else if (step == ENDING_BEGINS)
			begin_drain(app, "SIGTERM", app->config.push_drain_ms);
	}
}

static void
close_own_handles(struct app *app)
{
	uv_close((uv_handle_t *)&app->on_told, NULL);
	uv_close((uv_handle_t *)&app->drain, NULL);
	uv_close((uv_handle_t *)&app->probe_timer, NULL);
}

/* Redis before the loop's handles, those before the WebSocket library: another order hangs or leaks. Of threads, those
 * that post to the loop end before it closes. */
static void
take_apart(struct app *app)
{
	uv_poll_stop(&app->on_told);
	ending_catch(&app->ending);
	metrics_http_stop(app->metrics);
	presence_stop(app->presence);
	hub_stop(app->hub);
	session_server_flush(app->sessions);
	writer_destroy(app->writer);
	pipeline_destroy(app->pipeline);
	storage_stop(app->storage);
	db_keeper_stop(app->keeper);
	rate_limit_destroy(app->limiter);
	bus_destroy(app->bus);

	close_own_handles(app);
	wheel_close_handles(app->wheel);
	ws_close_handles(app->ws);
	loop_close_handles(app->loop);
	ws_destroy(app->ws);
	session_server_destroy(app->sessions);
	presence_destroy(app->presence);
	hub_destroy(app->hub);
	storage_destroy(app->storage);
	wheel_destroy(app->wheel);
	loop_destroy(app->loop);
	close(app->signal_fd);
}

/* Beginning. */

static void
limit_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max < DESCRIPTORS_MAX ? limit.rlim_max : DESCRIPTORS_MAX;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		log_warn("descriptor_limit", LOG_S("reason", strerror(errno)));
}

static void
name_node(struct app *app)
{
	char id[ID_SIZE];

	id_make(id);
	if (app->crew.n_processes > 1)
		snprintf(app->node, sizeof app->node, "%.64s-%d-%s", app->config.push_node, app->crew.number,
			 id + ID_LEN - 12);
	else
		snprintf(app->node, sizeof app->node, "%.64s-%s", app->config.push_node, id + ID_LEN - 12);
}

/* What writes: none of it needs the loop. */
static enum status
start_writing(struct app *app, struct fault *ret_fault)
{
	const struct config *config = &app->config;
	const struct rate_limits limits = rate_limit_settings(config);

	TRY(token_key_load(config->data, &app->token_key, ret_fault));
	TRY(migrate_check_url(config->database_url, ret_fault));
	TRY(bus_create(config->redis_url, &app->bus, ret_fault));
	TRY(rate_limit_create(&limits, config->redis_url, &app->limiter, ret_fault));
	TRY(writer_create(config->database_url, (size_t)config->writer_threads, app->bus, &app->writer, ret_fault));
	TRY(db_keeper_start(config->database_url, &app->keeper, ret_fault));
	return pipeline_create(config->pipeline, app->writer, &app->pipeline, ret_fault);
}

static enum status
init_own_handles(struct app *app)
{
	uv_loop_t *uv = loop_uv(app->loop);

	app->signal_fd = signalfd(-1, &app->signals, SFD_NONBLOCK | SFD_CLOEXEC);
	if (app->signal_fd < 0 || uv_poll_init(uv, &app->on_told, app->signal_fd) < 0)
		return ERR_UNAVAILABLE;
	uv_timer_init(uv, &app->drain);
	uv_timer_init(uv, &app->probe_timer);
	app->on_told.data = app->drain.data = app->probe_timer.data = app;
	uv_poll_start(&app->on_told, UV_READABLE, on_told);
	return OK;
}

static void
make_presence(struct app *app)
{
	const struct presence_options options = {
		.loop = app->loop,
		.hub = app->hub,
		.storage = app->storage,
		.writer = app->writer,
		.node = app->node,
		.beat_ms = app->config.presence_beat_ms,
		.grace_ms = app->config.presence_grace_ms,
		.count_ms = app->config.presence_count_ms,
	};

	app->presence = presence_create(&options);
}

static void
make_sessions(struct app *app)
{
	const struct config *config = &app->config;
	const struct session_server_options options = {
		.loop = app->loop,
		.storage = app->storage,
		.hub = app->hub,
		.bus = app->bus,
		.pipeline = app->pipeline,
		.writer = app->writer,
		.wheel = app->wheel,
		.presence_watch = presence_watchers(app->presence),
		.token_key = &app->token_key,
		.node = app->node,
		.frame_bytes = (size_t)config->limits_frame_bytes,
		.rate = {config->limits_frames_per_second, config->limits_frames_burst},
		.limiter = app->limiter,
		.auth_ms = config->limits_auth_ms,
		.heartbeat_ms = config->limits_heartbeat_ms,
		.sockets_per_user = config->limits_sockets_per_user,
	};

	app->sessions = session_server_create(&options);
	session_server_handlers(&app->handlers);
}

static enum status
start_serving(struct app *app, struct fault *ret_fault)
{
	const struct config *config = &app->config;
	const struct ws_options options = {
		.loop = loop_uv(app->loop),
		.bind = config->push_bind,
		.port = (int)config->push_port,
		.share_port = config->push_processes > 1,
		.frame_bytes = (size_t)config->limits_frame_bytes,
		.accepts = {config->limits_accepts_per_second, config->limits_accepts_burst},
		.handshakes_max = (size_t)config->limits_handshakes,
		.public_origins = (const char *const *)config->public_origins,
		.handlers = &app->handlers,
		.context = app->sessions,
	};

	metrics_set(METRIC_SOCKETS, 0); /* none is a number too, for who watches */
	app->ws = ws_create(&options);
	TRY(ws_start(app->ws, ret_fault));
	return metrics_http_start(config_push_metrics_port(config, app->crew.number), &app->metrics, ret_fault);
}

static enum status
start(struct app *app, struct fault *ret_fault)
{
	const struct config *config = &app->config;

	if (config->push_processes == 0)
		return fault_set(ret_fault, ERR_INVALID, "no_push", "push.processes",
				 "push.processes is 0: this host has no push. Set it to 1 for this program.");
	name_node(app);
	limit_descriptors();
	TRY(start_writing(app, ret_fault));
	if (loop_create(&app->loop) != OK || init_own_handles(app) != OK)
		return fault_set(ret_fault, ERR_UNAVAILABLE, "loop", NULL,
				 "The event loop can't be made: raise the limit of descriptors (ulimit -n).");
	app->wheel = wheel_create(loop_uv(app->loop));
	TRY(storage_create(config->database_url, STORAGE_THREADS, app->loop, &app->storage, ret_fault));
	TRY(hub_create(app->loop, app->storage, config->redis_url, &app->hub, ret_fault));
	make_presence(app);
	make_sessions(app);
	TRY(start_serving(app, ret_fault));
	on_probe_timer(&app->probe_timer);
	return OK;
}

int
main(int argc, char **argv)
{
	static struct app app;
	struct fault fault = {0};
	int rest, done = program_begin(&program, &app.config, argc, argv, &rest);

	if (done != PROGRAM_GOES_ON)
		return done;
	app.crew.n_processes = (int)app.config.push_processes;
	done = crew_begin(&app.crew);
	if (done != PROGRAM_GOES_ON) {
		config_finish(&app.config);
		return done;
	}
	signal(SIGPIPE, SIG_IGN);
	srandom((unsigned)getpid() ^ (unsigned)clock_wall_ms()); /* delays of several processes must differ */
	ending_hold(&app.signals);
	json_init();
	if (start(&app, &fault) != OK)
		return program_give_up(program.name, PROGRAM_FAILED, fault.detail);
	log_info("ready", LOG_S("bind", app.config.push_bind), LOG_I("port", app.config.push_port),
		 LOG_S("node", app.node));
	crew_ready(&app.crew);
	loop_run(app.loop);
	take_apart(&app);
	config_finish(&app.config);
	log_info("ended", LOG_S("reason", "signal"));
	return PROGRAM_DONE;
}
