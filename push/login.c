/* A storage job around sessions_check. */
#include "login.h"

#include "base/clock.h"
#include "log.h"
#include "store/sessions.h"

static void
work(struct storage_job *job, struct db *db)
{
	struct login *login = (struct login *)job;
	struct caller caller;

	job->status = sessions_check(db, login->session_id, login->user_id, clock_wall_ms(), &caller, &job->fault);
}

static void
finish(struct storage_job *job)
{
	struct login *login = (struct login *)job;
	enum status status = job->status;

	if (status != OK && status != ERR_UNAUTHORIZED)
		log_warn("login_check_failed", LOG_S("status", status_name(status)),
			 LOG_S("detail", job->fault.detail));
	arena_finish(&job->arena);
	login->done(login, status);
}

void
login_check(struct storage *storage, struct login *login)
{
	login->job.work = work;
	login->job.done = finish;
	storage_submit(storage, &login->job);
}
