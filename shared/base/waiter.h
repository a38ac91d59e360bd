/* One thread waits until another says that something is done: on the stack of the one that waits.
 *
 * A semaphore and not a condition: waking costs one call and no lock that the woken thread would have to wait for. POSIX lets
 * the waiting thread destroy it as soon as it has been woken. */
#ifndef BASE_WAITER_H
#define BASE_WAITER_H

#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>

struct waiter {
	sem_t done;
};

static inline void
waiter_init(struct waiter *waiter)
{
	if (sem_init(&waiter->done, 0, 0) != 0)
		abort();
}

/* Blocks until waiter_wake; the waiter is finished then. */
static inline void
waiter_wait(struct waiter *waiter)
{
	while (sem_wait(&waiter->done) != 0) {
		if (errno != EINTR)
			abort();
	}
	sem_destroy(&waiter->done);
}

/* For one that is not waited for after all. */
static inline void
waiter_finish(struct waiter *waiter)
{
	sem_destroy(&waiter->done);
}

static inline void
waiter_wake(struct waiter *waiter)
{
	sem_post(&waiter->done);
}

#endif
