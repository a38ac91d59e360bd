/* flock(2) belongs to the open file description: closing it (also by being killed) gives the lock back. */
#include "db/turnstile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

int
turnstile_open_file(const char *database_path, const char *suffix)
{
	char path[PATH_MAX];
	int len = snprintf(path, sizeof path, "%s%s", database_path, suffix);

	if (len < 0 || (size_t)len >= sizeof path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

bool
turnstile_try(int fd)
{
	int failed;

	do {
		failed = flock(fd, LOCK_EX | LOCK_NB);
	} while (failed && errno == EINTR);
	return !failed;
}

enum { PAUSE_MIN_US = 50, PAUSE_MAX_US = 1000 };

/* flock(2) has no time limit, so it is tried again and again: often at first, when the other is about to finish. */
static enum status
wait_for(int fd, int64_t until_us)
{
	long pause_us = PAUSE_MIN_US;

	while (!turnstile_try(fd)) {
		if (clock_monotonic_us() >= until_us)
			return ERR_UNAVAILABLE;
		nanosleep(&(struct timespec){.tv_nsec = pause_us * 1000}, NULL);
		if (pause_us < PAUSE_MAX_US)
			pause_us *= 2;
	}
	return OK;
}

enum status
turnstile_open(const char *database_path, struct turnstile *ret_turnstile)
{
	int next_fd = turnstile_open_file(database_path, ".next");
	int write_fd = next_fd < 0 ? -1 : turnstile_open_file(database_path, ".write");

	if (write_fd < 0) {
		int error = errno;

		if (next_fd >= 0)
			close(next_fd);
		errno = error;
		return ERR_UNAVAILABLE;
	}
	ret_turnstile->next_fd = next_fd;
	ret_turnstile->write_fd = write_fd;
	return OK;
}

void
turnstile_close(struct turnstile *turnstile)
{
	if (turnstile->next_fd >= 0)
		close(turnstile->next_fd);
	if (turnstile->write_fd >= 0)
		close(turnstile->write_fd);
	turnstile->next_fd = turnstile->write_fd = -1;
}

enum status
turnstile_enter(const struct turnstile *turnstile, int patience_ms)
{
	int64_t until_us = clock_monotonic_us() + (int64_t)patience_ms * 1000;
	enum status status;

	TRY(wait_for(turnstile->next_fd, until_us));
	status = wait_for(turnstile->write_fd, until_us);
	flock(turnstile->next_fd, LOCK_UN);
	return status;
}

void
turnstile_leave(const struct turnstile *turnstile)
{
	flock(turnstile->write_fd, LOCK_UN);
}

static void
cleanup_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

/* The process of a lock on the file, by /proc/locks ("1: FLOCK  ADVISORY  WRITE 4711 08:01:131 0 EOF"); 0: nobody known. */
static int
locked_by(int fd)
{
	CLEANUP(cleanup_file) FILE *locks = fopen("/proc/locks", "re");
	struct stat file;
	char line[160], wanted[32];

	if (!locks || fstat(fd, &file) != 0)
		return 0;
	snprintf(wanted, sizeof wanted, ":%" PRIu64 " ", (uint64_t)file.st_ino);
	while (fgets(line, sizeof line, locks)) {
		const char *write = strstr(line, " WRITE ");

		if (write && strstr(line, ": FLOCK ") && strstr(write, wanted))
			return (int)strtol(write + strlen(" WRITE "), NULL, 10);
	}
	return 0;
}

/* The line of /proc/<pid>/status that begins with the word, without it and the end of the line. */
static void
read_status(int pid, const char *word, char *ret_text, size_t size)
{
	char path[48], line[128];
	size_t len = strlen(word);

	snprintf(path, sizeof path, "/proc/%d/status", pid);
	CLEANUP(cleanup_file) FILE *status = fopen(path, "re");
	snprintf(ret_text, size, "?");
	while (status && fgets(line, sizeof line, status))
		if (strncmp(line, word, len) == 0) {
			snprintf(ret_text, size, "%.*s", (int)strcspn(line + len, "\n"), line + len);
			return;
		}
}

void
turnstile_who_is_in(const struct turnstile *turnstile, struct buf *ret_lines)
{
	int pid = locked_by(turnstile->write_fd);
	char name[32], state[32];

	if (pid <= 0)
		return;
	read_status(pid, "Name:\t", name, sizeof name);
	read_status(pid, "State:\t", state, sizeof state);
	buf_printf(ret_lines, "PID %d, %s, %s\n", pid, name, state);
}
