/* FastCGI by libfcgi, one request a thread. The library has no timeouts; the web server in front reads requests whole before
 * it passes them on, so that a slow client never holds a thread.
 *
 * Connections are accepted here, not by the library: a thread that waits for one must be woken when this process ends and others,
 * who share the listener, go on. It is woken by a signal, to which it listens only there. */
#include "fcgi.h"

#include <errno.h>
#include <fcgiapp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/thread.h"
#include "log.h"
#include "metrics.h"
#include "reader.h"
#include "req.h"
#include "route.h"

enum {
	BACKLOG = 1024,
	DRAIN_MAX_BYTES = 4 * 1024 * 1024, /* of a body over its limit: read to its end, so that the answer arrives */
	ACCEPT_PAUSE_MS = 100,             /* after a failed accept (no descriptors left), or it would spin */
	REQUEST_WITHIN_MS = 500,           /* after the connection: a web server that connects has a request */
	WAKE = SIGUSR1,
	WAKE_AGAIN_MS = 10,    /* for one who was woken a moment before it waited */
	STOP_WITHIN_MS = 4000, /* longer than a writer waits for its turn, so that its request is answered */
};

struct fcgi {
	struct app *app;
	int listener;
	atomic_bool stopping; /* crosses threads */
	size_t n_threads;
	pthread_t threads[];
};

/* Reads the body into the arena, or past it when it is over the limit for all routes. */
static void
read_body(struct req *req, FCGX_Stream *in)
{
	const char *text = req_param(req, "CONTENT_LENGTH");
	int64_t max = req->app->config->limits_body_bytes;
	long long len = 0;
	char scrap[4096];

	if (!text || !text[0])
		return;
	if (!text_to_int64(text, &len))
		len = INT32_MAX; /* the web server writes digits; anything else is refused as too large */
	req->body_len = (size_t)len;
	if (len > max) {
		for (size_t read = 0; read < DRAIN_MAX_BYTES;) {
			int n = FCGX_GetStr(scrap, sizeof scrap, in);

			if (n <= 0)
				break;
			read += (size_t)n;
		}
		return;
	}
	char *bytes = arena_alloc(&req->arena, (size_t)len + 1);
	int n = FCGX_GetStr(bytes, (int)len, in);
	req->body_bytes = bytes;
	req->body_len = n > 0 ? (size_t)n : 0; /* cut short: not JSON any more */
}

static void
write_answer(const struct req *req, FCGX_Stream *out)
{
	FCGX_FPrintF(out, "Status: %d\r\n", req->http_status);
	for (size_t i = 0; i < req->n_headers; i++)
		FCGX_FPrintF(out, "%s: %s\r\n", req->headers[i].name, req->headers[i].value);
	if (req->reply_bytes)
		FCGX_FPrintF(out, "Content-Type: %s\r\nContent-Length: %d\r\n", req->content_type, (int)req->reply_len);
	FCGX_PutS("\r\n", out);
	if (req->reply_bytes && strcmp(req->method ? req->method : "", "HEAD") != 0)
		FCGX_PutStr(req->reply_bytes, (int)req->reply_len, out);
}

/* One line a request, without query and body: they are people's. Health checks come every second and say nothing. */
static void
note(const struct req *req, int64_t begun_us)
{
	int64_t took_us = clock_monotonic_us() - begun_us;
	bool is_health = req->route && req->route->rate == ROUTE_RATE_NONE && req->http_status < 500;

	metrics_add(METRIC_HTTP_REQUESTS, 1);
	metrics_observe_us(METRIC_HTTP_SECONDS, took_us);
	if (req->http_status >= 500)
		metrics_add(METRIC_HTTP_ERRORS, 1);
	log_at(is_health ? LOG_DEBUG : LOG_INFO, "request", LOG_S("request_id", req->request_id),
	       LOG_S("method", req->method), LOG_S("path", req->path), LOG_I("status", req->http_status),
	       LOG_I("ms", took_us / 1000));
}

static void
serve_one(struct req *req, struct app *app, struct reader *reader, FCGX_Request *request)
{
	int64_t begun_us = clock_monotonic_us();

	req_begin(req, app, reader, (const char *const *)request->envp);
	read_body(req, request->in);
	route_serve(req);
	write_answer(req, request->out);
	note(req, begun_us); /* before the finish: the request's method and path are the environment's */
	FCGX_Finish_r(request);
	req_end(req);
}

static void
pause_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

/* The writer wakes many of these threads at once, and has the next batch to commit: a batch thread does not take the core from
 * the one that wakes it (sched(7)). Its share of time is the same. */
static void
let_others_finish(void)
{
	pthread_setschedparam(pthread_self(), SCHED_BATCH, &(struct sched_param){0});
}

/* The wait ends by this, and all else goes on (no SA_RESTART). */
static void
on_wake(int number)
{
	(void)number;
}

static void
listen_to_wakes(int how)
{
	sigset_t wake;

	sigemptyset(&wake);
	sigaddset(&wake, WAKE);
	pthread_sigmask(how, &wake, NULL);
}

/* A connection, or -1: there is none, as errno says. Whoever shares the listener may take it instead. */
static int
accept_one(const struct fcgi *fcgi)
{
	int fd, error;

	listen_to_wakes(SIG_UNBLOCK);
	fd = accept4(fcgi->listener, NULL, NULL, SOCK_CLOEXEC);
	error = errno;
	listen_to_wakes(SIG_BLOCK);
	errno = error;
	return fd;
}

/* Reads the head of a request. The library's own listener is none: it never accepts. `keepConnection` is what makes it go on with
 * a connection that is there; then it is what the request says. */
static bool
read_head(FCGX_Request *request, int fd)
{
	struct pollfd connection = {.fd = fd, .events = POLLIN};

	if (poll(&connection, 1, REQUEST_WITHIN_MS) <= 0) {
		close(fd);
		return false;
	}
	request->ipcFd = fd;
	request->keepConnection = 1;
	return FCGX_Accept_r(request) == 0;
}

static void *
run(void *argument)
{
	struct fcgi *fcgi = argument;
	struct reader reader = {0};
	struct req req = {0};
	FCGX_Request request;

	let_others_finish();
	if (FCGX_InitRequest(&request, -1, 0) != 0)
		abort();
	while (!atomic_load(&fcgi->stopping)) {
		int fd = accept_one(fcgi);

		if (fd >= 0 && read_head(&request, fd)) {
			serve_one(&req, fcgi->app, &reader, &request);
			FCGX_Free(&request, 1); /* also when the web server would keep the connection */
		} else if (fd < 0 && errno != EINTR && !atomic_load(&fcgi->stopping)) {
			if (errno != EINVAL) /* that is: the socket was taken away, and the signal is on its way */
				log_warn("accept", LOG_S("error", strerror(errno)));
			pause_ms(ACCEPT_PAUSE_MS);
		}
	}
	FCGX_Free(&request, 1);
	reader_finish(&reader);
	arena_finish(&req.arena);
	return NULL;
}

/* Whether somebody listens there. */
static bool
is_alive(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool alive = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0;

	if (fd >= 0)
		close(fd);
	return alive;
}

/* libfcgi's own exits when it fails and takes a living server's socket away. */
enum status
fcgi_listen(const char *path, int *ret_listener, struct fault *ret_fault)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof address.sun_path)
		return fault_set(ret_fault, ERR_UNAVAILABLE, "socket_path", NULL,
				 "The path of a socket has at most %zu bytes: choose a shorter api.socket or data.",
				 sizeof address.sun_path - 1);
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (is_alive(&address))
		return fault_set(ret_fault, ERR_UNAVAILABLE, "socket_taken", NULL,
				 "Another stonechat-api serves %s already: stop it, or choose another data folder.",
				 path);
	unlink(path); /* left by one that was killed */

	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 || chmod(path, 0660) != 0 ||
	    listen(fd, BACKLOG) != 0) {
		int error = errno;

		if (fd >= 0)
			close(fd);
		return fault_set(ret_fault, ERR_UNAVAILABLE, "socket_failed", NULL,
				 "Cannot listen on %s: %s. `stonechat migrate` makes the folders.", path,
				 strerror(error));
	}
	*ret_listener = fd;
	return OK;
}

void
fcgi_unlisten(const char *path, int listener)
{
	if (path)
		unlink(path);
	shutdown(listener, SHUT_RDWR);
}

enum status
fcgi_start(struct app *app, int listener, struct fcgi **ret_fcgi, struct fault *ret_fault)
{
	size_t n_threads = (size_t)app->config->api_threads;

	/* Else the library waits up to 2 s for the peer when closing. */
	setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "0", 1);
	if (FCGX_Init() != 0)
		return fault_set(ret_fault, ERR_UNAVAILABLE, "fastcgi", NULL, "libfcgi cannot be started.");
	sigaction(WAKE, &(struct sigaction){.sa_handler = on_wake}, NULL); /* in place of the library's own */

	struct fcgi *fcgi = calloc(1, sizeof *fcgi + n_threads * sizeof fcgi->threads[0]);
	if (!fcgi)
		abort();
	fcgi->app = app;
	fcgi->listener = listener;
	fcgi->n_threads = n_threads;
	for (size_t i = 0; i < n_threads; i++)
		fcgi->threads[i] = thread_start("request", run, fcgi);
	*ret_fcgi = fcgi;
	return OK;
}

static bool
join(pthread_t thread, int64_t until_ms)
{
	int64_t now_ms = clock_monotonic_ms(), again_ms;

	for (; now_ms < until_ms; now_ms = clock_monotonic_ms()) {
		again_ms = now_ms + WAKE_AGAIN_MS;
		if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC,
					 &(struct timespec){.tv_sec = again_ms / 1000,
							    .tv_nsec = again_ms % 1000 * 1000000}) == 0)
			return true;
		pthread_kill(thread, WAKE);
	}
	return false;
}

static bool
join_all(struct fcgi *fcgi)
{
	int64_t until_ms = clock_monotonic_ms() + STOP_WITHIN_MS;
	bool ended = true;

	for (size_t i = 0; i < fcgi->n_threads; i++)
		pthread_kill(fcgi->threads[i], WAKE);
	for (size_t i = 0; i < fcgi->n_threads; i++)
		ended = join(fcgi->threads[i], until_ms) && ended;
	return ended;
}

bool
fcgi_stop(struct fcgi *fcgi)
{
	atomic_store(&fcgi->stopping, true);
	if (!join_all(fcgi))
		return false;
	free(fcgi);
	return true;
}
