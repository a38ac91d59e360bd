/* Threads that block all signals, so that SIGTERM always reaches the thread that waits for it. */
#include "base/thread.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

pthread_t
thread_start(const char *name, void *(*run)(void *), void *argument)
{
	sigset_t all, before;
	pthread_t thread;

	assert(strlen(name) <= 15);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&thread, NULL, run, argument) != 0)
		abort();
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_setname_np(thread, name);
	return thread;
}
