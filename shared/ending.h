/* How a daemon is told to end: by SIGTERM or SIGINT.
 *
 * A terminal (Ctrl-C) and systemd send a signal to all processes of a group, and the parent among them passes it on: what comes
 * twice within ENDING_ONE_REQUEST_MS is one request. The same signal later, or another one, is a second request, which
 * hurries: the process ends at once. */
#ifndef ENDING_H
#define ENDING_H

#include <signal.h>
#include <stdint.h>

enum { ENDING_ONE_REQUEST_MS = 1000 };

enum ending_step {
	ENDING_BEGINS,
	ENDING_REPEATED, /* nothing to do: it has begun by this signal */
	ENDING_HURRIES,
};

/* The last request. All-zero: there was none. */
struct ending {
	int signal_number;
	int64_t at_ms; /* clock_monotonic_ms */
};

/* What this signal is, after those that were noted before. Safe in a signal handler. */
enum ending_step ending_note(struct ending *ending, int signal_number, int64_t now_ms);

/* Before there are threads: none of them is interrupted by these signals, which wait in ret_signals for sigwait or a signalfd. */
void ending_hold(sigset_t *ret_signals);

/* When the end has begun and nobody waits for signals any more: from now on one that hurries ends the process with status 0
 * (what was acknowledged is committed), in the thread that calls this. */
void ending_catch(const struct ending *ending);

#endif
