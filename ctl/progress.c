/* See progress.h. */
#include "progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

enum { TERMINAL_EVERY_MS = 200, LINE_EVERY_MS = 3000 };

void
progress_begin(struct progress *progress)
{
	*progress = (struct progress){
		.terminal = isatty(STDERR_FILENO) == 1,
		.told_at_ms = clock_monotonic_ms(),
	};
}

void
progress_tell(struct progress *progress, const char *what, int64_t n_done, int64_t n_all)
{
	int64_t now_ms = clock_monotonic_ms();
	char share[16] = "...";

	if (now_ms - progress->told_at_ms < (progress->terminal ? TERMINAL_EVERY_MS : LINE_EVERY_MS))
		return;
	progress->told_at_ms = now_ms;
	if (n_all > 0)
		snprintf(share, sizeof share, "%d %%", (int)(n_done * 100 / n_all));
	fprintf(stderr, progress->terminal ? "\r\033[K%s: %s" : "%s: %s\n", what, share);
	fflush(stderr);
	progress->line_open = progress->terminal;
}

void
progress_end_line(struct progress *progress)
{
	if (progress->line_open)
		fputs("\r\033[K", stderr);
	progress->line_open = false;
}
