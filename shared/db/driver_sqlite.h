/* What the parts of the SQLite driver share: how a handle is opened, so that every handle of every process is alike. */
#ifndef DB_DRIVER_SQLITE_H
#define DB_DRIVER_SQLITE_H

#include <sqlite3.h>

#include "base/status.h"
#include "db/driver.h"

enum { DRIVER_SQLITE_TURN_WAIT_MS = 3000 }; /* a writer's patience with the others in the turnstile */

/* Opens the file with the pragmas and settings that durability and the checkpoint lock rest on. Whoever
 * may write also finds the database in WAL mode when its turn comes; ERR_UNAVAILABLE with a sentence. */
MUST_USE enum status driver_sqlite_open_handle(const char *path, enum db_access access, int busy_timeout_ms,
					       sqlite3 **ret_handle, struct fault *ret_fault);

/* driver_sqlite_keeper.c */
enum status driver_sqlite_keeper_start(const char *path, struct db_driver_keeper **ret_keeper, struct fault *ret_fault);
void driver_sqlite_keeper_stop(struct db_driver_keeper *keeper);

#endif
