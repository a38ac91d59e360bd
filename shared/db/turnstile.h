/* Writers of all processes take turns at a SQLite database: two locked files beside it, <db>.next and <db>.write.
 *
 * Who waits holds `next`, who writes holds `write`. With SQLite's own busy handler alone a light writer starves beside a busy
 * one; here the busy one gives `next` away while it writes, and cannot come back before the light one had its turn. A turn
 * is waited for with a limit: a process that is stopped in its own must not stop the others for ever. */
#ifndef DB_TURNSTILE_H
#define DB_TURNSTILE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/status.h"

struct turnstile {
	int next_fd, write_fd;
};

/* Opens (and makes) the lock files of one handle; each handle has its own, so that threads take turns as processes do.
 * ERR_UNAVAILABLE with errno set. */
MUST_USE enum status turnstile_open(const char *database_path, struct turnstile *ret_turnstile);
void turnstile_close(struct turnstile *turnstile);

/* Waits for its turn, at most `patience_ms` for both locks together; then ERR_UNAVAILABLE, and nothing is held. */
MUST_USE enum status turnstile_enter(const struct turnstile *turnstile, int patience_ms);
void turnstile_leave(const struct turnstile *turnstile);

/* Who is inside, as far as the system tells: its process, name and state in one line, or nothing. */
void turnstile_who_is_in(const struct turnstile *turnstile, struct buf *ret_lines);

/* Opens (and makes) <database_path><suffix> to be locked; -1 with errno set. */
int turnstile_open_file(const char *database_path, const char *suffix);

/* Takes the lock on a file without waiting; false when somebody else has it. */
bool turnstile_try(int fd);

#endif
