/* Whole copies of a SQLite database: whether one is sound, and putting one in the place of a database that programs have open.
 * Only SQLite has them: other databases are copied and restored with their own tools. */
#ifndef DB_COPY_H
#define DB_COPY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/* Called many times a second by what takes long. */
struct copy_progress {
	void (*tell)(void *context, const char *what, int64_t n_done, int64_t n_all); /* n_all 0: not known */
	void *context;
};

/* The path in `url`; ERR_INVALID when its database is not a file. */
MUST_USE enum status copy_path(const char *url, const char **ret_path, struct fault *ret_fault);

/* Reads all of the database at `path`: every page belongs somewhere, indexes fit their tables, references lead somewhere. What
 * is wrong is ERR_INVALID, in a sentence that follows the name of the file; ERR_UNAVAILABLE when it can't be read. The file gets
 * -wal and -shm beside it. */
MUST_USE enum status copy_check(const char *path, const struct copy_progress *progress, struct fault *ret_fault);

struct copy_replacement {
	const char *from;    /* the database that comes */
	const char *into;    /* the one whose content it replaces; made when it is missing */
	const char *keep_as; /* the new file in which that content is kept */
	const char *draft;   /* its name until it is whole, in the same folder */
	struct copy_progress progress;
};

/* Replaces the content in one turn among all writers and one transaction, so that whoever has the database open sees the old
 * content or the new one; before that the old content is kept (*ret_kept false: there was none). Writers wait meanwhile, readers
 * don't. Needs as much room again as both have.
 *
 * ERR_UNAVAILABLE: the old content stands and nothing is kept; ERR_INTERNAL: nobody can say which of the two will stand after a
 * crash, the old one is kept. */
MUST_USE enum status copy_replace(const struct copy_replacement *replacement, bool *ret_kept, struct fault *ret_fault);

#endif
