/* The parent is one thread in sigtimedwait: what it knows of a process is in its seat, and what the processes tell it (that
 * they are ready) is an atomic there. */
#include "crew.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "ending.h"
#include "log.h"
#include "metrics.h"
#include "program.h"

enum {
	PAUSE_FIRST_MS = 250,
	PAUSE_MAX_MS = 30000,
	STABLE_MS = 30000, /* who has lived so long is not dying again and again */
	REASON_SIZE = 80,
};

struct crew_seat {
	atomic_bool ready; /* crosses processes: set by the one in the seat, read by the parent */
	bool was_ready;    /* somebody in it, before */
	pid_t pid;         /* 0: nobody is in it */
	int64_t started_ms;
	int64_t start_at_ms; /* of an empty one */
	int n_deaths;        /* in a row */
	int n_restarts;
};

/* What the parent is at. */
struct watch {
	struct crew *crew;
	sigset_t signals, before;
	struct ending request; /* passed on */
	bool ending;
	bool failed; /* a process that was told to end did not do it well, or one could not begin */
	int status;  /* of the one that could not begin */
};

int64_t
crew_pause_ms(int n_deaths)
{
	int64_t pause_ms = n_deaths > 1 ? PAUSE_FIRST_MS : 0;

	for (int i = 2; i < n_deaths && pause_ms < PAUSE_MAX_MS; i++)
		pause_ms *= 2;
	return pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
}

void
crew_ready(struct crew *crew)
{
	if (crew->seats)
		atomic_store(&crew->seats[crew->number - 1].ready, true);
}

bool
crew_is_alone(const struct crew *crew)
{
	return crew->seats == NULL || getppid() != crew->parent;
}

static void
note_self(int n_restarts, int number)
{
	metrics_set(METRIC_PROCESS, number);
	metrics_set(METRIC_PROCESS_ID, getpid());
	metrics_add(METRIC_PROCESS_RESTARTS, n_restarts);
}

/* In the process that was just forked. */
static void
become_member(struct watch *watch, int number)
{
	struct crew *crew = watch->crew;

	crew->number = number;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != crew->parent)
		_exit(PROGRAM_FAILED); /* it died before it could be watched */
	log_set_process(number);
	note_self(crew->seats[number - 1].n_restarts, number);
	sigprocmask(SIG_SETMASK, &watch->before, NULL);
}

/* True in the new process. */
static bool
fill_seat(struct watch *watch, int number)
{
	struct crew_seat *seat = &watch->crew->seats[number - 1];
	pid_t pid = fork();

	if (pid == 0) {
		become_member(watch, number);
		return true;
	}
	seat->started_ms = clock_monotonic_ms();
	if (pid > 0) {
		seat->pid = pid;
		return false;
	}
	seat->n_deaths++;
	seat->start_at_ms = seat->started_ms + crew_pause_ms(seat->n_deaths + 1);
	log_error("process_not_started", LOG_I("process", number), LOG_S("reason", strerror(errno)),
		  LOG_I("again_in_ms", seat->start_at_ms - seat->started_ms));
	return false;
}

static void
tell_all(const struct crew *crew, int signal_number)
{
	for (int i = 0; i < crew->n_processes; i++) {
		if (crew->seats[i].pid > 0)
			kill(crew->seats[i].pid, signal_number);
	}
}

/* Passes the signal on; a second request too, which ends the processes at once. */
static void
end_all(struct watch *watch, int signal_number)
{
	struct crew *crew = watch->crew;
	bool first = !watch->ending;

	if (ending_note(&watch->request, signal_number, clock_monotonic_ms()) == ENDING_REPEATED)
		return;
	watch->ending = true;
	log_info("ending", LOG_S("signal", sigabbrev_np(signal_number)), LOG_I("processes", crew->n_processes));
	tell_all(crew, signal_number);
	if (first && crew->end)
		crew->end(crew->context);
}

static void
describe(int status, char ret_reason[REASON_SIZE])
{
	if (WIFSIGNALED(status))
		snprintf(ret_reason, REASON_SIZE, "killed by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(ret_reason, REASON_SIZE, "it ended with status %d", WEXITSTATUS(status));
}

static void
start_again_later(struct crew_seat *seat, int number, pid_t pid, const char *reason)
{
	int64_t now_ms = clock_monotonic_ms(), lived_ms = now_ms - seat->started_ms;

	seat->n_deaths = lived_ms >= STABLE_MS ? 1 : seat->n_deaths + 1;
	seat->n_restarts++;
	seat->start_at_ms = now_ms + crew_pause_ms(seat->n_deaths);
	log_error("process_died", LOG_I("process", number), LOG_I("pid", pid), LOG_S("reason", reason),
		  LOG_I("lived_ms", lived_ms), LOG_I("again_in_ms", seat->start_at_ms - now_ms));
}

static void
note_end(struct watch *watch, int number, pid_t pid, int status)
{
	struct crew_seat *seat = &watch->crew->seats[number - 1];
	bool is_ready = atomic_exchange(&seat->ready, false);
	/* Before there was anything to end. */
	bool was_cut_off = !is_ready && WIFSIGNALED(status) && WTERMSIG(status) == watch->request.signal_number;
	bool ended_well = was_cut_off || (WIFEXITED(status) && WEXITSTATUS(status) == PROGRAM_DONE);
	char reason[REASON_SIZE];

	describe(status, reason);
	seat->pid = 0;
	seat->was_ready = seat->was_ready || is_ready;
	if (watch->ending) {
		if (!ended_well && !watch->failed)
			log_error("process_ended_badly", LOG_I("process", number), LOG_S("reason", reason));
		watch->failed = watch->failed || !ended_well;
	} else if (seat->was_ready || WIFSIGNALED(status)) {
		start_again_later(seat, number, pid, reason);
	} else {
		log_error("process_not_ready", LOG_I("process", number), LOG_S("reason", reason));
		watch->failed = true;
		watch->status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
		end_all(watch, SIGTERM);
	}
}

static void
note_ends(struct watch *watch)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (int i = 0; i < watch->crew->n_processes; i++) {
			if (watch->crew->seats[i].pid == pid)
				note_end(watch, i + 1, pid, status);
		}
	}
}

static bool
is_empty(const struct crew *crew)
{
	for (int i = 0; i < crew->n_processes; i++) {
		if (crew->seats[i].pid > 0)
			return false;
	}
	return true;
}

/* Fills the empty seats whose time has come, and tells how long there is nothing to do. True in a new process. */
static bool
fill_seats(struct watch *watch, int64_t *ret_idle_ms)
{
	int64_t now_ms = clock_monotonic_ms();

	*ret_idle_ms = PAUSE_MAX_MS;
	for (int i = 0; i < watch->crew->n_processes; i++) {
		struct crew_seat *seat = &watch->crew->seats[i];

		if (seat->pid == 0 && seat->start_at_ms <= now_ms && fill_seat(watch, i + 1))
			return true;
		if (seat->pid == 0 && seat->start_at_ms - now_ms < *ret_idle_ms)
			*ret_idle_ms = seat->start_at_ms - now_ms;
	}
	return false;
}

static int
status_of_all(const struct watch *watch)
{
	if (watch->failed)
		return watch->status ? watch->status : PROGRAM_FAILED;
	return PROGRAM_DONE;
}

static int
watch_over(struct watch *watch)
{
	for (;;) {
		int64_t idle_ms = PAUSE_MAX_MS;
		int received;

		if (!watch->ending && fill_seats(watch, &idle_ms))
			return PROGRAM_GOES_ON;
		if (watch->ending && is_empty(watch->crew))
			return status_of_all(watch);
		received =
			sigtimedwait(&watch->signals, NULL,
				     &(struct timespec){.tv_sec = idle_ms / 1000, .tv_nsec = idle_ms % 1000 * 1000000});
		if (received == SIGCHLD)
			note_ends(watch);
		else if (received > 0)
			end_all(watch, received);
	}
}

int
crew_begin(struct crew *crew)
{
	struct watch watch = {.crew = crew};
	int result;

	crew->number = 1;
	if (crew->n_processes <= 1) {
		note_self(0, 1);
		return PROGRAM_GOES_ON;
	}
	crew->parent = getpid();
	crew->seats = mmap(NULL, sizeof *crew->seats * (size_t)crew->n_processes, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (crew->seats == MAP_FAILED)
		abort();
	sigemptyset(&watch.signals);
	sigaddset(&watch.signals, SIGTERM);
	sigaddset(&watch.signals, SIGINT);
	sigaddset(&watch.signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &watch.signals, &watch.before);
	log_info("started", LOG_I("processes", crew->n_processes));
	result = watch_over(&watch);
	if (result != PROGRAM_GOES_ON)
		log_info("ended", LOG_I("status", result));
	return result;
}
