/* Whole databases, page by page, with SQLite's own backup: into a database in use it is one transaction of the WAL, which a
 * process that is killed in the middle of it leaves without a commit. */
#include "db/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "db/driver_sqlite.h"
#include "db/turnstile.h"

enum {
	BUSY_TIMEOUT_MS = 3000, /* for whoever writes without the turnstile (the sqlite3 shell) */
	TURN_WAIT_MS = 30000,
	STEP_PAGES = 64,
	TELL_EVERY_STEPS = 1000, /* of SQLite's virtual machine */
};

static void
cleanup_handle(sqlite3 **handle)
{
	sqlite3_close(*handle);
}
#define CLEANUP_HANDLE CLEANUP(cleanup_handle)

enum status
copy_path(const char *url, const char **ret_path, struct fault *ret_fault)
{
	static const char scheme[] = "sqlite:";

	if (strncmp(url, scheme, strlen(scheme)) != 0)
		return fault_set(
			ret_fault, ERR_INVALID, "database_url", NULL,
			"This is for a database in a file (database.url = sqlite:<path>): use pg_restore, then "
			"`stonechat restored` (docs/operations.md).");
	*ret_path = url + strlen(scheme);
	return OK;
}

/* Checking. */

struct check {
	sqlite3 *handle;
	const struct copy_progress *progress;
	const char *what;
};

static int
on_progress(void *context)
{
	const struct check *check = context;

	check->progress->tell(check->progress->context, check->what, 0, 0);
	return 0;
}

static enum status
check_failed(sqlite3 *handle, int code, struct fault *ret_fault)
{
	if ((code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB)
		return fault_set(ret_fault, ERR_INVALID, "copy_damaged", NULL, "is damaged (%s): take another copy.",
				 sqlite3_errmsg(handle));
	return fault_set(ret_fault, ERR_UNAVAILABLE, "copy_unreadable", NULL, "cannot be checked: %s.",
			 sqlite3_errmsg(handle));
}

static enum status
check_pages(const struct check *check, struct fault *ret_fault)
{
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v2(check->handle, "PRAGMA integrity_check(1)", -1, &stmt, NULL);
	enum status status = OK;

	if (code == SQLITE_OK)
		code = sqlite3_step(stmt);
	if (code != SQLITE_ROW) {
		status = check_failed(check->handle, code, ret_fault);
	} else {
		const char *text = (const char *)sqlite3_column_text(stmt, 0);
		const char *second_line = strchr(text, '\n');

		if (strcmp(text, "ok") != 0)
			status = fault_set(ret_fault, ERR_INVALID, "copy_damaged", NULL,
					   "is damaged (%.100s): take another copy.",
					   second_line ? second_line + 1 : text);
	}
	sqlite3_finalize(stmt);
	return status;
}

static enum status
check_references(const struct check *check, struct fault *ret_fault)
{
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v2(check->handle, "PRAGMA foreign_key_check", -1, &stmt, NULL);
	enum status status = OK;

	if (code == SQLITE_OK)
		code = sqlite3_step(stmt);
	if (code == SQLITE_ROW)
		status = fault_set(ret_fault, ERR_INVALID, "copy_damaged", NULL,
				   "is damaged (a row of %s refers to one of %s that is missing): take another copy.",
				   (const char *)sqlite3_column_text(stmt, 0),
				   (const char *)sqlite3_column_text(stmt, 2));
	else if (code != SQLITE_DONE)
		status = check_failed(check->handle, code, ret_fault);
	sqlite3_finalize(stmt);
	return status;
}

enum status
copy_check(const char *path, const struct copy_progress *progress, struct fault *ret_fault)
{
	CLEANUP_HANDLE sqlite3 *handle = NULL;
	struct fault why = {0};

	if (driver_sqlite_open_handle(path, DB_ACCESS_READ, BUSY_TIMEOUT_MS, &handle, &why) != OK) {
		const char *reason = strrchr(why.detail, ':'); /* what stands before it names the file */

		return fault_set(ret_fault, ERR_UNAVAILABLE, "copy_unreadable", NULL,
				 "cannot be opened as a database (%s): take another copy.", reason ? reason + 2 : "");
	}

	struct check check = {.handle = handle, .progress = progress, .what = "checking"};

	sqlite3_progress_handler(handle, TELL_EVERY_STEPS, on_progress, &check);
	TRY(check_pages(&check, ret_fault));
	return check_references(&check, ret_fault);
}

/* Replacing. */

/* Tests stop the process at a point, look at what the others see, and kill it. */
static void
pass_fault_point(const char *here)
{
#ifdef STONECHAT_FAULTS
	const char *point = getenv("STONECHAT_FAULT_RESTORE");

	if (point && strcmp(point, here) == 0)
		raise(SIGSTOP);
#else
	(void)here;
#endif
}

struct page_copy {
	sqlite3 *from, *into;
	const char *what;
	const char *fault_point; /* passed once, when half is done */
	const struct copy_progress *progress;
	bool in_last_step; /* the one that commits */
};

/* Returns SQLite's code. All pages or none. */
static int
copy_pages(struct page_copy *copy)
{
	sqlite3_backup *backup = sqlite3_backup_init(copy->into, "main", copy->from, "main");
	int code = backup ? SQLITE_OK : sqlite3_extended_errcode(copy->into);
	int n_all, n_left = 0;
	bool half = false;

	while (code == SQLITE_OK) {
		copy->in_last_step = n_left <= STEP_PAGES;
		code = sqlite3_backup_step(backup, STEP_PAGES);
		n_all = sqlite3_backup_pagecount(backup);
		n_left = sqlite3_backup_remaining(backup);
		if (!half && code == SQLITE_OK && n_left < n_all / 2) {
			half = true;
			pass_fault_point(copy->fault_point);
		}
		copy->progress->tell(copy->progress->context, copy->what, n_all - n_left, n_all);
	}
	sqlite3_backup_finish(backup); /* without the last step it rolls back */
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

static enum status
sync_path(const char *path, int flags)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | flags);

	return fd >= 0 && fsync(fd) == 0 ? OK : ERR_UNAVAILABLE;
}

static enum status
sync_folder_of(const char *path)
{
	char folder[PATH_MAX];

	snprintf(folder, sizeof folder, "%s", path);
	return sync_path(dirname(folder), O_DIRECTORY);
}

/* A new file that nobody else knows of yet: without a journal, which only a second attempt at the same file would need. */
static enum status
write_draft(sqlite3 *live, const struct copy_replacement *replacement, struct fault *ret_fault)
{
	CLEANUP_HANDLE sqlite3 *draft = NULL;
	struct page_copy copy = {
		.from = live,
		.what = "keeping what is in place",
		.fault_point = "stop_in_keeping",
		.progress = &replacement->progress,
	};
	int fd = open(replacement->draft, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int code;

	if (fd < 0)
		return fault_set(ret_fault, ERR_UNAVAILABLE, "not_kept", NULL, "Cannot make %s: %s.",
				 replacement->draft, strerror(errno));
	close(fd);
	code = sqlite3_open_v2(replacement->draft, &draft, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(draft, "PRAGMA journal_mode = OFF", NULL, NULL, NULL);
	if (code == SQLITE_OK) {
		copy.into = draft;
		code = copy_pages(&copy);
	}
	if (code != SQLITE_OK)
		return fault_set(ret_fault, ERR_UNAVAILABLE, "not_kept", NULL,
				 "What is in place cannot be kept as %s: %s.", replacement->draft,
				 sqlite3_errstr(code));
	return OK;
}

static enum status
keep(sqlite3 *live, const struct copy_replacement *replacement, struct fault *ret_fault)
{
	TRY(write_draft(live, replacement, ret_fault));
	if (sync_path(replacement->draft, 0) != OK || rename(replacement->draft, replacement->keep_as) != 0 ||
	    sync_folder_of(replacement->keep_as) != OK)
		return fault_set(ret_fault, ERR_UNAVAILABLE, "not_kept", NULL,
				 "What is in place cannot be kept as %s: %s.", replacement->keep_as, strerror(errno));
	return OK;
}

/* One that cannot be read is not empty. */
static bool
is_empty(sqlite3 *handle)
{
	sqlite3_stmt *stmt = NULL;
	bool empty = sqlite3_prepare_v2(handle, "SELECT 1 FROM sqlite_master", -1, &stmt, NULL) == SQLITE_OK &&
		     sqlite3_step(stmt) == SQLITE_DONE;

	sqlite3_finalize(stmt);
	return empty;
}

static enum status
replace_failed(int code, bool in_last_step, struct fault *ret_fault)
{
	switch (code & 0xff) {
	case SQLITE_READONLY:
		return fault_set(ret_fault, ERR_UNAVAILABLE, "page_size", NULL,
				 "The copy's pages have another size than the database's: give it theirs with "
				 "`PRAGMA journal_mode = DELETE; PRAGMA page_size = N; VACUUM` in the sqlite3 shell.");
	case SQLITE_FULL:
		return fault_set(ret_fault, ERR_UNAVAILABLE, "disk_full", NULL,
				 "The disk is full: make room for the database twice more and run this again.");
	case SQLITE_IOERR:
		/* Perhaps in the sync after the frame that commits: the next writer would overwrite it, a crash now would
		 * bring it back. A frame that could not be written counts for nothing. */
		if (in_last_step && code != SQLITE_IOERR_WRITE)
			return fault_set(ret_fault, ERR_INTERNAL, "outcome_unknown", NULL,
					 "The disk failed at the very end (%s), so whether the copy is in place is not "
					 "known: look at the disk, then run this again.",
					 sqlite3_errstr(code));
		break;
	default:
		break;
	}
	return fault_set(ret_fault, ERR_UNAVAILABLE, "not_replaced", NULL, "The copy cannot be put in place: %s.",
			 sqlite3_errstr(code));
}

static enum status
replace_in_turn(sqlite3 *from, sqlite3 *live, const struct copy_replacement *replacement, bool *ret_kept,
		struct fault *ret_fault)
{
	struct page_copy copy = {
		.from = from,
		.into = live,
		.what = "putting the copy in place",
		.fault_point = "stop_in_replacing",
		.progress = &replacement->progress,
	};
	bool kept = !is_empty(live);
	enum status status = kept ? keep(live, replacement, ret_fault) : OK;
	int code;

	if (status == OK) {
		code = copy_pages(&copy);
		if (code != SQLITE_OK)
			status = replace_failed(code, copy.in_last_step, ret_fault);
	}
	if (status == ERR_UNAVAILABLE && kept) {
		unlink(replacement->draft);
		unlink(replacement->keep_as);
		kept = false;
	}
	*ret_kept = kept;
	if (status == OK)
		pass_fault_point("stop_after_commit");
	return status;
}

enum status
copy_replace(const struct copy_replacement *replacement, bool *ret_kept, struct fault *ret_fault)
{
	CLEANUP_HANDLE sqlite3 *from = NULL, *live = NULL;
	struct turnstile turnstile;
	struct fault why = {0};
	enum status status;

	*ret_kept = false;
	TRY(driver_sqlite_open_handle(replacement->from, DB_ACCESS_READ, BUSY_TIMEOUT_MS, &from, ret_fault));
	if (driver_sqlite_open_handle(replacement->into, DB_ACCESS_WRITE, BUSY_TIMEOUT_MS, &live, &why) != OK)
		return fault_set(
			ret_fault, ERR_UNAVAILABLE, "database_unavailable", NULL,
			"%.140s. If nothing can read it any more, end all programs, move it away with its -wal, "
			"and run this again.",
			why.detail);
	if (turnstile_open(replacement->into, &turnstile) != OK)
		return fault_set(ret_fault, ERR_UNAVAILABLE, "database_unavailable", NULL,
				 "Cannot open the lock files of %s: %s.", replacement->into, strerror(errno));
	if (turnstile_enter(&turnstile, TURN_WAIT_MS) == OK)
		status = replace_in_turn(from, live, replacement, ret_kept, ret_fault);
	else
		status = fault_set(ret_fault, ERR_UNAVAILABLE, "database_busy", NULL,
				   "Another program has not let go of the database for %d s: end it, or wait, and run "
				   "this again.",
				   TURN_WAIT_MS / 1000);
	turnstile_close(&turnstile);
	return status;
}
