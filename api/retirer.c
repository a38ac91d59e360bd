/* The retirer's thread: see retirer.h. Its connection reads; what it finds goes through the writer, like everybody's. */
#include "retirer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/thread.h"
#include "db/db.h"
#include "log.h"
#include "writer/retire.h"

enum { EVERY_S = 60 };

struct retirer {
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	bool stopping; /* under mutex */

	/* the thread's own */
	struct db *db;
	struct writer *writer;
};

/* Waits; false when it is time to end. */
static bool
wait_for_next(struct retirer *retirer)
{
	struct timespec until;
	bool stopping;
	int error = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += EVERY_S;
	pthread_mutex_lock(&retirer->mutex);
	while (!retirer->stopping && error == 0)
		error = pthread_cond_timedwait(&retirer->wake, &retirer->mutex, &until);
	stopping = retirer->stopping;
	pthread_mutex_unlock(&retirer->mutex);
	return !stopping;
}

static void *
run(void *context)
{
	struct retirer *retirer = context;

	do {
		struct fault fault = {0};

		if (retire_leftovers(retirer->writer, retirer->db, &fault) != OK)
			log_warn("retire", LOG_S("detail", fault.detail[0] ? fault.detail : db_error(retirer->db)));
	} while (wait_for_next(retirer));
	return NULL;
}

static void
destroy(struct retirer *retirer)
{
	if (retirer->db)
		db_close(retirer->db);
	pthread_cond_destroy(&retirer->wake);
	pthread_mutex_destroy(&retirer->mutex);
	free(retirer);
}

enum status
retirer_start(const char *database_url, struct writer *writer, struct retirer **ret_retirer, struct fault *ret_fault)
{
	struct retirer *retirer = calloc(1, sizeof *retirer);
	pthread_condattr_t monotonic;

	if (!retirer)
		abort();
	retirer->writer = writer;
	pthread_mutex_init(&retirer->mutex, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&retirer->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	enum status status = db_open(database_url, DB_ACCESS_READ, &retirer->db, ret_fault);
	if (status != OK) {
		destroy(retirer);
		return status;
	}
	retirer->thread = thread_start("retirer", run, retirer);
	*ret_retirer = retirer;
	return OK;
}

void
retirer_stop(struct retirer *retirer)
{
	if (!retirer)
		return;
	pthread_mutex_lock(&retirer->mutex);
	retirer->stopping = true;
	pthread_cond_signal(&retirer->wake);
	pthread_mutex_unlock(&retirer->mutex);
	pthread_join(retirer->thread, NULL);
	destroy(retirer);
}
