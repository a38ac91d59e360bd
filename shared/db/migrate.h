/* The schema: which migrations there are (migrations/, compiled in), which were applied, and whether a program may run. */
#ifndef DB_MIGRATE_H
#define DB_MIGRATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "db/db.h"
#include "db/driver.h"

struct migration {
	int64_t version; /* 1, 2, 3 ... */
	const char *name;
	struct {
		const char *sql;
		const char *checksum; /* SHA-256 of sql, hexadecimal */
	} text[DB_DIALECT__MAX];      /* twice the same unless the file has twins */
};

/* All of them, by version: written by tools/gen_migrations.py when the project is built. */
extern const struct migration migrations[];
extern const size_t n_migrations;

/* Applies what is pending, one transaction each, under a lock; refuses a changed checksum of an applied one and a database
 * newer than this program. `report` (may be NULL) is called before each one is applied. */
MUST_USE enum status migrate_run(struct db *db, void (*report)(void *context, const struct migration *migration),
				 void *context, size_t *ret_applied, struct fault *ret_fault);

/* Lists what is pending without applying it. */
MUST_USE enum status migrate_pending(struct db *db, const struct migration **ret_first, size_t *ret_n,
				     struct fault *ret_fault);

/* What a daemon asks at its start: the schema is at least what it needs and meta.compatible_from at most its own version;
 * else ERR_UNAVAILABLE with the command to run. So is a database that is being filled, or that was moved away. */
MUST_USE enum status migrate_check(struct db *db, struct fault *ret_fault);

/* The same for a daemon that has no connection yet: also ERR_UNAVAILABLE when the database cannot be opened. */
MUST_USE enum status migrate_check_url(const char *url, struct fault *ret_fault);

#endif
