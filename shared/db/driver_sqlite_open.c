/* Opening a file: the pragmas and settings that every handle of every process has. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "db/driver_sqlite.h"
#include "db/turnstile.h"

static enum status
open_fault(const char *path, const char *why, struct fault *ret_fault)
{
	return fault_set(ret_fault, ERR_UNAVAILABLE, "database_unavailable", NULL, "cannot open the database %s: %s",
			 path, why);
}

static bool
is_wal(sqlite3 *handle, const char *pragma)
{
	sqlite3_stmt *stmt = NULL;
	bool wal = sqlite3_prepare_v2(handle, pragma, -1, &stmt, NULL) == SQLITE_OK &&
		   sqlite3_step(stmt) == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(stmt, 0), "wal") == 0;

	sqlite3_finalize(stmt);
	return wal;
}

/* Switching to WAL locks the whole file: it is done once in a database's life, in turn. */
static bool
make_wal(const char *path, sqlite3 *handle)
{
	struct turnstile turnstile;
	bool wal;

	if (is_wal(handle, "PRAGMA journal_mode"))
		return true;
	if (turnstile_open(path, &turnstile) != OK)
		return false;
	wal = turnstile_enter(&turnstile, DRIVER_SQLITE_TURN_WAIT_MS) == OK &&
	      is_wal(handle, "PRAGMA journal_mode = WAL");
	turnstile_close(&turnstile);
	return wal;
}

/* It holds password hashes: for its owner only; SQLite gives -wal and -shm the same mode. Only a new file is opened here:
 * closing a descriptor of one in use would drop SQLite's own locks on it (POSIX advisory locks belong to the process). */
static void
make_private(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* SQLite counts its memory under one mutex for all threads, for figures that nobody asks for. */
static void
configure(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

enum status
driver_sqlite_open_handle(const char *path, enum db_access access, int busy_timeout_ms, sqlite3 **ret_handle,
			  struct fault *ret_fault)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (access == DB_ACCESS_WRITE ? SQLITE_OPEN_CREATE : 0);
	/* The limit: what is kept of a WAL that had grown beyond 64 MB when it starts over (driver_sqlite_keeper.c). */
	const char *pragmas = access == DB_ACCESS_WRITE ? "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
							  "PRAGMA wal_autocheckpoint = 0; PRAGMA mmap_size = 0;"
							  "PRAGMA journal_size_limit = 67108864"
							: "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
							  "PRAGMA wal_autocheckpoint = 0; PRAGMA mmap_size = 0;"
							  "PRAGMA query_only = ON";
	sqlite3 *handle = NULL;
	int code;

	if (access == DB_ACCESS_WRITE)
		make_private(path);
	pthread_once(&once, configure);
	code = sqlite3_open_v2(path, &handle, flags, NULL);
	if (code == SQLITE_OK) {
		sqlite3_extended_result_codes(handle, 1);
		sqlite3_busy_timeout(handle, busy_timeout_ms);
		sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
		code = sqlite3_exec(handle, pragmas, NULL, NULL, NULL);
	}
	if (code != SQLITE_OK || (access == DB_ACCESS_WRITE && !make_wal(path, handle))) {
		open_fault(path, code == SQLITE_OK ? "it cannot be put into WAL mode" : sqlite3_errmsg(handle),
			   ret_fault);
		sqlite3_close(handle);
		return ERR_UNAVAILABLE;
	}
	*ret_handle = handle;
	return OK;
}
