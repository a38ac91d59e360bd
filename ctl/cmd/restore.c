/* stonechat restore FILE: puts a copy of the database in the place of the one in use, as the beginning of another history (a
 * new epoch), while the server runs or not. FILE is only read; what was in place is kept beside the database.
 *
 * The copy is checked, brought up to date and given its epoch in a file of our own (<db>.restore), then put in place in one
 * transaction (db/copy.h). A run that was killed leaves such files; the next one removes them. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "cmd.h"
#include "db/copy.h"
#include "db/db.h"
#include "db/migrate.h"
#include "db/turnstile.h"
#include "folders.h"
#include "program.h"
#include "progress.h"
#include "store/meta.h"

enum { READ_BYTES = 1024 * 1024, MIB = 1024 * 1024 };

/* What SQLite may need besides the file itself: commits that are only in the WAL, the journal of a write that was broken off. */
static const char *const companions[] = {"", "-wal", "-journal"};
enum { N_COMPANIONS = sizeof companions / sizeof companions[0] };

/* What a run makes beside the database, after its name. */
#define WORK ".restore"
#define DRAFT ".restore-keep"
static const char *const leftovers[] = {
	WORK, WORK "-wal", WORK "-shm", WORK "-journal", WORK ".next", WORK ".write", DRAFT, DRAFT "-journal",
};
enum { N_LEFTOVERS = sizeof leftovers / sizeof leftovers[0] };

struct restore {
	struct config *config;
	struct arena arena;
	const char *file;
	const char *real_file;       /* where FILE leads, beside which its companions are */
	const char *subject;         /* what a fault's detail speaks of; NULL: it says so itself */
	const char *database;        /* the path of the one in use */
	const char *folder;          /* where it is */
	const char *work;            /* the copy of ours */
	int64_t copy_bytes, n_bytes; /* all of FILE and its companions, and how many are copied */
	char epoch[EVENT_EPOCH_SIZE];
	struct progress progress;
};

static const char *
beside(struct restore *restore, const char *suffix)
{
	return arena_printf(&restore->arena, "%s%s", restore->database, suffix);
}

static void
tell(void *context, const char *what, int64_t n_done, int64_t n_all)
{
	progress_tell(context, what, n_done, n_all);
}

/* The file that is given. */

/* The fault's detail follows the name of the file, which may be long. */
static enum status
about(struct restore *restore, const char *path, const char *what, struct fault *ret_fault)
{
	restore->subject = path;
	return fault_set(ret_fault, ERR_INVALID, "copy_refused", NULL, "%s", what);
}

static enum status
about_file(struct restore *restore, const char *what, struct fault *ret_fault)
{
	return about(restore, restore->file, what, ret_fault);
}

static bool
is_same_file(const struct stat *info, const char *path)
{
	struct stat other;

	return stat(path, &other) == 0 && other.st_dev == info->st_dev && other.st_ino == info->st_ino;
}

static enum status
check_file(struct restore *restore, struct fault *ret_fault)
{
	char head[16] = "";
	struct stat info;
	CLEANUP_FREE char *real_file = NULL;
	CLEANUP_FD int fd = open(restore->file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &info) != 0)
		return fault_set(ret_fault, ERR_NOT_FOUND, "copy_missing", NULL,
				 "%s cannot be opened (%s): name a copy.", restore->file, strerror(errno));
	if (!S_ISREG(info.st_mode))
		return about_file(restore, "is not a file: name a copy.", ret_fault);
	if (is_same_file(&info, restore->database))
		return about_file(restore, "is the database in use: name a copy of it.", ret_fault);
	for (size_t i = 0; i < N_LEFTOVERS; i++)
		if (is_same_file(&info, beside(restore, leftovers[i])))
			return about_file(restore, "has a name that this command uses itself: rename it.", ret_fault);
	if (read(fd, head, sizeof head) != sizeof head || memcmp(head, "SQLite format 3", sizeof head) != 0)
		return about_file(restore, "is not an SQLite database: name a copy.", ret_fault);
	real_file = realpath(restore->file, NULL);
	if (!real_file)
		return about_file(restore, "has no path of its own, beside which its WAL would be: name a copy.",
				  ret_fault);
	restore->real_file = arena_strdup(&restore->arena, real_file);
	return OK;
}

/* The folder: ours while this runs, with room enough. */

static void
remove_leftovers(struct restore *restore)
{
	for (size_t i = 0; i < N_LEFTOVERS; i++)
		unlink(beside(restore, leftovers[i]));
}

static enum status
lock_folder(struct restore *restore, int *ret_fd, struct fault *ret_fault)
{
	int fd = open(restore->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return fault_set(ret_fault, ERR_UNAVAILABLE, "folder", NULL, "The folder %s cannot be opened: %s.",
				 restore->folder, strerror(errno));
	*ret_fd = fd;
	if (!turnstile_try(fd))
		return fault_set(ret_fault, ERR_CONFLICT, "restore_running", NULL,
				 "Another restore is at work in %s: wait until it has ended.", restore->folder);
	return OK;
}

static int64_t
bytes_of(struct restore *restore, const char *path)
{
	struct stat info;
	int64_t n = 0;

	for (size_t i = 0; i < N_COMPANIONS; i++)
		if (stat(arena_printf(&restore->arena, "%s%s", path, companions[i]), &info) == 0)
			n += info.st_size;
	return n;
}

/* Told before the disk is full, which would disturb the server. For the copy of the copy, what is kept, and the transaction. */
static enum status
check_room(struct restore *restore, struct fault *ret_fault)
{
	struct statvfs disk;
	int64_t needed, free_bytes;

	restore->copy_bytes = bytes_of(restore, restore->real_file);
	needed = 2 * restore->copy_bytes + bytes_of(restore, restore->database) + MIB;
	if (statvfs(restore->folder, &disk) != 0)
		return OK;
	free_bytes = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
	if (free_bytes >= needed)
		return OK;
	return fault_set(ret_fault, ERR_UNAVAILABLE, "disk_full", NULL,
			 "This needs %" PRId64 " MiB free in %s, where %" PRId64 " MiB are: make room.",
			 needed / MIB + 1, restore->folder, free_bytes / MIB);
}

/* The copy of the copy. */

static enum status
copy_bytes(struct restore *restore, int from, int to)
{
	CLEANUP_FREE char *bytes = malloc(READ_BYTES);
	ssize_t n;

	if (!bytes)
		abort();
	while ((n = read(from, bytes, READ_BYTES)) > 0) {
		for (ssize_t written, done = 0; done < n; done += written) {
			written = write(to, bytes + done, (size_t)(n - done));
			if (written < 0)
				return ERR_UNAVAILABLE;
		}
		restore->n_bytes += n;
		progress_tell(&restore->progress, "reading the copy", restore->n_bytes, restore->copy_bytes);
	}
	return n == 0 ? OK : ERR_UNAVAILABLE;
}

static enum status
copy_companion(struct restore *restore, const char *suffix, struct fault *ret_fault)
{
	const char *from_path = arena_printf(&restore->arena, "%s%s", restore->real_file, suffix);
	const char *to_path = arena_printf(&restore->arena, "%s%s", restore->work, suffix);
	struct stat info;
	CLEANUP_FD int from = open(from_path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (from < 0 && errno == ENOENT && *suffix)
		return OK;
	if (from < 0 || fstat(from, &info) != 0)
		return fault_set(ret_fault, ERR_INVALID, "copy_unreadable", NULL, "%s cannot be read: %s.", from_path,
				 strerror(errno));
	if (!S_ISREG(info.st_mode))
		return about(restore, from_path, "is not a file: name another copy.", ret_fault);

	CLEANUP_FD int to = open(to_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (to < 0 || copy_bytes(restore, from, to) != OK)
		return fault_set(ret_fault, ERR_UNAVAILABLE, "not_copied", NULL, "%s cannot be copied to %s: %s.",
				 from_path, to_path, strerror(errno));
	return OK;
}

static enum status
copy_file(struct restore *restore, struct fault *ret_fault)
{
	for (size_t i = 0; i < N_COMPANIONS; i++)
		TRY(copy_companion(restore, companions[i], ret_fault));
	return OK;
}

/* What it becomes: a database of this version with a history of its own. */

static void
report_migration(void *context, const struct migration *migration)
{
	progress_end_line(context);
	printf("applying %04" PRId64 " %s\n", migration->version, migration->name);
}

static enum status
check_ours(struct restore *restore, struct db *db, struct fault *ret_fault)
{
	const struct migration *pending;
	size_t n_pending;
	enum status status = migrate_pending(db, &pending, &n_pending, ret_fault);

	if (status == ERR_INTERNAL || (status == OK && n_pending == n_migrations))
		return about_file(restore, "is not a Stonechat database: name a copy of one.", ret_fault);
	return status;
}

static enum status
begin_history(struct restore *restore, struct db *db, struct meta_census *ret_census)
{
	TRY(db_begin(db, DB_WRITE));
	TRY(meta_begin_epoch(db, restore->epoch));
	TRY(meta_count(db, ret_census));
	return db_commit(db, NULL);
}

static void
print_census(struct restore *restore, const struct meta_census *census)
{
	char newest[CLOCK_TEXT_SIZE] = "";

	if (census->newest_message_at_ms)
		clock_format(census->newest_message_at_ms, newest);
	progress_end_line(&restore->progress);
	printf("%s holds people: %" PRId64 ", conversations: %" PRId64 ", messages: %" PRId64 "%s%s (schema %" PRId64
	       ")\n",
	       restore->file, census->people, census->conversations, census->messages,
	       *newest ? ", the newest of " : "", newest, census->schema);
}

static enum status
prepare(struct restore *restore, struct db *db, struct fault *ret_fault)
{
	struct meta_census census;
	size_t n_applied;
	enum status status;

	restore->subject = arena_printf(&restore->arena, "%s:", restore->file);
	TRY(check_ours(restore, db, ret_fault));
	TRY(migrate_run(db, report_migration, &restore->progress, &n_applied, ret_fault));
	status = begin_history(restore, db, &census);
	if (status == ERR_NOT_FOUND)
		return about_file(restore, "is not a Stonechat database: name a copy of one.", ret_fault);
	if (status != OK)
		return fault_set(ret_fault, status, "database_error", NULL, "its copy cannot be written: %s",
				 db_error(db));
	restore->subject = NULL;
	print_census(restore, &census);
	return OK;
}

static enum status
check_and_prepare(struct restore *restore, struct fault *ret_fault)
{
	const struct copy_progress progress = {tell, &restore->progress};
	struct db *db;
	enum status status = copy_check(restore->work, &progress, ret_fault);

	if (status != OK) {
		restore->subject = restore->file;
		return status;
	}
	TRY(db_open(arena_printf(&restore->arena, "sqlite:%s", restore->work), DB_ACCESS_WRITE, &db, ret_fault));
	status = prepare(restore, db, ret_fault);
	db_close(db);
	return status;
}

/* Its place. */

/* 20260131T235959.123Z: without the characters that a shell or another system's files may not like. */
static const char *
stamp(struct restore *restore)
{
	char text[CLOCK_TEXT_SIZE];
	size_t len = 0;

	clock_format(clock_wall_ms(), text);
	for (const char *c = text; *c; c++)
		if (*c != '-' && *c != ':')
			text[len++] = *c;
	return arena_memdup(&restore->arena, text, len);
}

static enum status
put_in_place(struct restore *restore, struct fault *ret_fault)
{
	const struct copy_replacement replacement = {
		.from = restore->work,
		.into = restore->database,
		.keep_as = arena_printf(&restore->arena, "%s.before-restore-%s", restore->database, stamp(restore)),
		.draft = beside(restore, DRAFT),
		.progress = {tell, &restore->progress},
	};
	bool kept;
	enum status status = copy_replace(&replacement, &kept, ret_fault);

	progress_end_line(&restore->progress);
	if (kept)
		printf("what was in place is kept as %s\n", replacement.keep_as);
	if (status == OK)
		printf("%s now holds the copy, in epoch %s\n", restore->database, restore->epoch);
	return status;
}

static enum status
restore_in_folder(struct restore *restore, struct fault *ret_fault)
{
	enum status status;

	remove_leftovers(restore);
	TRY(check_room(restore, ret_fault));
	status = copy_file(restore, ret_fault);
	if (status == OK)
		status = check_and_prepare(restore, ret_fault);
	if (status == OK)
		status = put_in_place(restore, ret_fault);
	remove_leftovers(restore);
	return status;
}

static enum status
run(struct restore *restore, struct fault *ret_fault)
{
	CLEANUP_FD int folder_fd = -1;

	TRY(copy_path(restore->config->database_url, &restore->database, ret_fault));
	restore->folder = dirname(arena_strdup(&restore->arena, restore->database));
	restore->work = beside(restore, WORK);
	TRY(check_file(restore, ret_fault));
	TRY(folders_make(restore->config, ret_fault));
	TRY(lock_folder(restore, &folder_fd, ret_fault));
	return restore_in_folder(restore, ret_fault);
}

/* A refusal is whole sentences: what is wrong and what to do, and, where that is known, that nothing happened. */
static int
give_up(struct restore *restore, enum status status, const struct fault *fault)
{
	size_t len = strlen(fault->detail);

	fflush(stdout);
	return program_give_up("stonechat restore", PROGRAM_FAILED,
			       arena_printf(&restore->arena, "%s%s%s%s%s", restore->subject ? restore->subject : "",
					    restore->subject ? " " : "", fault->detail,
					    len > 0 && fault->detail[len - 1] == '.' ? "" : ".",
					    status == ERR_INTERNAL ? "" : " The database was not changed."));
}

int
cmd_restore(struct config *config, int argc, char **argv)
{
	struct fault fault = {0};
	struct restore restore = {.config = config};
	int result = PROGRAM_DONE;
	enum status status;

	if (argc != 1)
		return program_give_up("stonechat restore", PROGRAM_CALLED_WRONGLY,
				       "What follows is the name of a copy and nothing else; settings stand before the "
				       "command.");
	restore.file = argv[0];
	progress_begin(&restore.progress);
	status = run(&restore, &fault);
	progress_end_line(&restore.progress);
	if (status != OK)
		result = give_up(&restore, status, &fault);
	arena_finish(&restore.arena);
	return result;
}
