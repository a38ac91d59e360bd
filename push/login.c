/* A storage job around sessions_check. */
#include "login.h"

#include <string.h>

#include "base/clock.h"
#include "log.h"
#include "store/access_tokens.h"
#include "store/meta.h"
#include "store/sessions.h"

/* The token's ids, for a check like that of any other log-in. */
static enum status
find_token(struct login *login, struct db *db)
{
	struct login_session session;

	TRY(access_tokens_find(db, login->token_hash, clock_wall_ms(), &session, &login->job.fault));
	memcpy(login->user_id, session.user_id, sizeof login->user_id);
	memcpy(login->session_id, session.id, sizeof login->session_id);
	login->last_used_at_ms = session.last_used_at_ms;
	login->expires_at_ms = session.expires_at_ms;
	return OK;
}

static void
work(struct storage_job *job, struct db *db)
{
	struct login *login = (struct login *)job;
	struct caller caller;

	job->status = meta_check_serving(db, &job->fault); /* what was moved away does not know new log-ins */
	if (job->status != OK)
		return;
	if (login->token_hash[0]) {
		job->status = find_token(login, db);
		return;
	}
	job->status = sessions_check(db, login->session_id, login->user_id, clock_wall_ms(), &caller, &job->fault);
	if (job->status == OK && caller.must_change_password)
		job->status = ERR_UNAUTHORIZED; /* over REST they can change it, and then come here */
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
