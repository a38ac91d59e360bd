/* Several processes of one program on a host, which share its port or socket.
 *
 * With one, the program is that process. With more, the process that was started becomes their parent: it forks them before
 * there is a thread or a connection, serves nobody, starts again what dies, passes requests to end on (ending.h), and ends when
 * they have ended. What is specific to a process (its number, its restarts) is asked of the crew. */
#ifndef CREW_H
#define CREW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { CREW_MAX = 64 };

struct crew_seat;

struct crew {
	int n_processes;
	void (*end)(void *context); /* parent: when the first signal has been passed on; may be NULL */
	void *context;

	/* Filled by crew_begin. */
	int number; /* of this process, from 1 on */
	pid_t parent;
	struct crew_seat *seats; /* one per process, in memory shared by all; NULL when there is one process alone */
};

/* PROGRAM_GOES_ON in each process that is to serve; in the parent, when all is over, its exit status: 0 when a signal ended
 * it and every process left with 0. A process that leaves by itself before it has ever been ready ends all of them: it has
 * said why, and the others would fail alike. */
int crew_begin(struct crew *crew);

/* In a process: it serves now. From then on it is started again however it ends. */
void crew_ready(struct crew *crew);

/* Whether this process alone answers for what all share (the socket's path): there is no parent, or it has gone. */
bool crew_is_alone(const struct crew *crew);

/* How long to wait before a process is started again that has died so often in a row: nothing at first, at most 30 s. */
int64_t crew_pause_ms(int n_deaths);

#endif
