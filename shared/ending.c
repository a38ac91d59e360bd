/* Signals that come twice are told from a second request by the clock; the handler does no more than end the process. */
#include "ending.h"

#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "program.h"

static struct ending caught; /* a handler's, once there is one */

enum ending_step
ending_note(struct ending *ending, int signal_number, int64_t now_ms)
{
	enum ending_step step = ENDING_BEGINS;

	if (ending->signal_number)
		step = ENDING_HURRIES;
	if (ending->signal_number == signal_number && now_ms - ending->at_ms < ENDING_ONE_REQUEST_MS)
		return ENDING_REPEATED;
	*ending = (struct ending){signal_number, now_ms};
	return step;
}

void
ending_hold(sigset_t *ret_signals)
{
	sigemptyset(ret_signals);
	sigaddset(ret_signals, SIGTERM);
	sigaddset(ret_signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, ret_signals, NULL);
}

static void
on_signal(int number)
{
	if (ending_note(&caught, number, clock_monotonic_ms()) == ENDING_HURRIES)
		_exit(PROGRAM_DONE);
}

void
ending_catch(const struct ending *ending)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	sigset_t signals;

	caught = *ending;
	ending_hold(&signals);
	action.sa_mask = signals;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
}
