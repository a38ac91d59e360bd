/* After an account was deleted: the person leaves all groups, one transaction each, so that however many there are nobody else
 * waits. It can be broken off and run again. */
#ifndef WRITER_RETIRE_H
#define WRITER_RETIRE_H

#include "db/db.h"
#include "writer/writer.h"

/* Groups of which they were the owner go to the admin who has been in it longest, else to the member who has; a group without
 * anybody else ends. Direct conversations stay. `db` is for reading. */
MUST_USE enum status retire_from_groups(struct writer *writer, struct db *db, const char *user_id,
					struct fault *ret_fault);

/* Finishes what was broken off: everybody whose account was deleted and who is still in a group leaves. Goes on after one who
 * cannot, whose fault is returned. */
MUST_USE enum status retire_leftovers(struct writer *writer, struct db *db, struct fault *ret_fault);

#endif
