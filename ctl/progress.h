/* How far a long command is, on stderr: a line that is written over on a terminal, a line every few seconds elsewhere, nothing
 * for what is done at once. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool terminal;
	bool line_open; /* the terminal's line has to be ended before anything else is printed */
	int64_t told_at_ms;
};

void progress_begin(struct progress *progress);

/* `what` is being done, n_done of n_all in any unit (n_all 0: not known). Costs nothing when it is not yet time to tell. */
void progress_tell(struct progress *progress, const char *what, int64_t n_done, int64_t n_all);

/* Call it before anything is printed. */
void progress_end_line(struct progress *progress);

#endif
