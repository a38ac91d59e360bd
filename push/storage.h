/* The database off the loop: a few threads with a connection each run jobs and post them back. */
#ifndef PUSH_STORAGE_H
#define PUSH_STORAGE_H

#include "base/arena.h"
#include "base/status.h"
#include "db/db.h"
#include "loop.h"

/* Embedded as the first member of the caller's struct; zero it. `work` runs on a thread with a connection of its own and
 * sets status; `done` runs on the loop afterwards, always, and frees the job. */
struct storage_job {
	struct loop_item item;
	void (*work)(struct storage_job *job, struct db *db);
	void (*done)(struct storage_job *job);
	struct arena arena; /* results; the owner finishes it in `done` */
	enum status status; /* ERR_UNAVAILABLE without `work` having run: no database */
	struct fault fault;
	struct storage_job *next;
};

struct storage;

MUST_USE enum status storage_create(const char *database_url, size_t threads, struct loop *loop,
				    struct storage **ret_storage, struct fault *ret_fault);
/* Ends the threads; jobs not begun are posted back as ERR_UNAVAILABLE. */
void storage_stop(struct storage *storage);
void storage_destroy(struct storage *storage);

void storage_submit(struct storage *storage, struct storage_job *job);

/* Counts the connections that the threads have made, also those that the driver has made again by itself. A job whose
 * connection is a new one is counted before its `done`. */
uint64_t storage_connections(const struct storage *storage);

#endif
