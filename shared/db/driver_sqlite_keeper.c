/* The keeper's thread: checkpoints, which writers never make.
 *
 * Two processes that checkpoint at once can corrupt a database (SQLite 3.7.0 to 3.51.2, the WAL-reset bug), so the one that
 * holds <db>.checkpoint does it for all; the others try to take over. A passive checkpoint disturbs nobody, but while writers
 * go on it never comes to the end of the WAL, which then grows without bound. So a long one is finished, for the next writer to
 * start over, while no writer is in its turn: little is left to do by then. The file keeps its size, because to write over it
 * costs one disk access a commit and to let it grow costs two (the inode's); SQLite itself cuts off what is over its
 * journal_size_limit when it starts over. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "db/driver_sqlite.h"
#include "db/turnstile.h"

enum {
	CHECKPOINT_EVERY_MS = 250,
	CHECKPOINT_BUSY_MS = 50, /* when the WAL was long */
	TAKE_OVER_EVERY_MS = 5000,
	RESTART_AGAIN_MS = 5000, /* after readers were in the way */
	TURN_WAIT_MS = 1000,
	READERS_WAIT_MS = 50,   /* at most, with all writers waiting too */
	WAL_LONG_FRAMES = 1000, /* 4 MB */
	PASSIVE_ROUNDS_MAX = 5,
};

struct db_driver_keeper {
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	bool stopping; /* under mutex */

	/* the thread's own */
	sqlite3 *handle;
	struct turnstile turnstile;
	int lock_fd;
	char *wal_path;
};

/* Starts the WAL over, with little left to do for a passive checkpoint. False when readers were in the way. */
static bool
restart_wal(struct db_driver_keeper *keeper)
{
	int code;

	if (turnstile_enter(&keeper->turnstile, TURN_WAIT_MS) != OK)
		return false;
	code = sqlite3_wal_checkpoint_v2(keeper->handle, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
	turnstile_leave(&keeper->turnstile);
	return code == SQLITE_OK;
}

/* Checkpoints all but what is committed meanwhile. Returns how many frames the WAL has, and in *ret_n_left about how many of
 * them are left; -1 when it failed. */
static int
checkpoint_passively(struct db_driver_keeper *keeper, int *ret_n_left)
{
	int n_frames = 0, n_before;

	for (int round = 0; round < PASSIVE_ROUNDS_MAX; round++) {
		n_before = n_frames;
		if (sqlite3_wal_checkpoint_v2(keeper->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, &n_frames, NULL) !=
		    SQLITE_OK)
			return -1;
		*ret_n_left = n_frames - n_before;
		if (*ret_n_left < WAL_LONG_FRAMES)
			break;
	}
	return n_frames;
}

/* One checkpoint, which costs next to nothing when all is in the database; returns how long to wait for the next. */
static int
checkpoint(struct db_driver_keeper *keeper)
{
	struct stat wal;
	int n_frames, n_left;

	if (stat(keeper->wal_path, &wal) != 0 || wal.st_size == 0)
		return CHECKPOINT_EVERY_MS;
	n_frames = checkpoint_passively(keeper, &n_left);
	if (n_frames < WAL_LONG_FRAMES || n_left == 0) /* writers have paused: the next one starts it over by itself */
		return CHECKPOINT_EVERY_MS;
	return restart_wal(keeper) ? CHECKPOINT_BUSY_MS : RESTART_AGAIN_MS;
}

/* Waits; false when it is time to end. */
static bool
wait_ms(struct db_driver_keeper *keeper, int ms)
{
	struct timespec until;
	bool stopping;
	int error = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&keeper->mutex);
	while (!keeper->stopping && error == 0)
		error = pthread_cond_timedwait(&keeper->wake, &keeper->mutex, &until);
	stopping = keeper->stopping;
	pthread_mutex_unlock(&keeper->mutex);
	return !stopping;
}

static void *
run(void *context)
{
	struct db_driver_keeper *keeper = context;
	int delay_ms = 0;

	while (wait_ms(keeper, delay_ms)) {
		if (turnstile_try(keeper->lock_fd)) /* taking a lock that one holds succeeds */
			delay_ms = checkpoint(keeper);
		else
			delay_ms = TAKE_OVER_EVERY_MS;
	}
	return NULL;
}

static void
destroy(struct db_driver_keeper *keeper)
{
	if (keeper->handle)
		sqlite3_close(keeper->handle);
	turnstile_close(&keeper->turnstile);
	if (keeper->lock_fd >= 0)
		close(keeper->lock_fd);
	pthread_cond_destroy(&keeper->wake);
	pthread_mutex_destroy(&keeper->mutex);
	free(keeper->wal_path);
	free(keeper);
}

static struct db_driver_keeper *
create(const char *path)
{
	struct db_driver_keeper *keeper = calloc(1, sizeof *keeper);
	pthread_condattr_t monotonic;

	if (!keeper || asprintf(&keeper->wal_path, "%s-wal", path) < 0)
		abort();
	keeper->turnstile = (struct turnstile){-1, -1};
	keeper->lock_fd = -1;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&keeper->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_mutex_init(&keeper->mutex, NULL);
	return keeper;
}

enum status
driver_sqlite_keeper_start(const char *path, struct db_driver_keeper **ret_keeper, struct fault *ret_fault)
{
	struct db_driver_keeper *keeper = create(path);

	if (driver_sqlite_open_handle(path, DB_ACCESS_WRITE, READERS_WAIT_MS, &keeper->handle, ret_fault) != OK) {
		destroy(keeper);
		return ERR_UNAVAILABLE;
	}
	keeper->lock_fd = turnstile_open_file(path, ".checkpoint");
	if (keeper->lock_fd < 0 || turnstile_open(path, &keeper->turnstile) != OK) {
		fault_set(ret_fault, ERR_UNAVAILABLE, "database_unavailable", NULL,
			  "cannot open the lock files of %s: %s", path, strerror(errno));
		destroy(keeper);
		return ERR_UNAVAILABLE;
	}
	if (pthread_create(&keeper->thread, NULL, run, keeper) != 0) {
		fault_set(ret_fault, ERR_UNAVAILABLE, "thread", NULL,
			  "cannot start the thread that keeps the database");
		destroy(keeper);
		return ERR_UNAVAILABLE;
	}
	*ret_keeper = keeper;
	return OK;
}

void
driver_sqlite_keeper_stop(struct db_driver_keeper *keeper)
{
	pthread_mutex_lock(&keeper->mutex);
	keeper->stopping = true;
	pthread_cond_signal(&keeper->wake);
	pthread_mutex_unlock(&keeper->mutex);
	pthread_join(keeper->thread, NULL);
	destroy(keeper);
}
