/* Table meta: see meta.h; it is filled by migrations (shared/db/migrate.c) and by the operator's commands. */
#include "store/meta.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_SIZE = 48 };

enum status
meta_epoch(struct db *db, char ret_epoch[EVENT_EPOCH_SIZE])
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db,
			   "SELECT e.value, t.value FROM meta e, meta t WHERE e.key = 'epoch' AND t.key = 'timeline'");
	char epoch[VALUE_SIZE], written_on[VALUE_SIZE];
	int64_t timeline;
	bool row;

	TRY(db_one(stmt, &row));
	if (!row)
		return ERR_INTERNAL;
	db_column_copy(stmt, 0, epoch, sizeof epoch);
	db_column_copy(stmt, 1, written_on, sizeof written_on);
	TRY(db_timeline(db, &timeline));
	if (timeline == strtoll(written_on, NULL, 10))
		snprintf(ret_epoch, EVENT_EPOCH_SIZE, "%s", epoch);
	else
		snprintf(ret_epoch, EVENT_EPOCH_SIZE, "%.40s.%" PRId64, epoch, timeline);
	return OK;
}

enum status
meta_check_serving(struct db *db, struct fault *ret_fault)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, "SELECT value FROM meta WHERE key = 'state'");
	char state[VALUE_SIZE] = "";
	bool row;

	TRY(db_one(stmt, &row));
	if (row)
		db_column_copy(stmt, 0, state, sizeof state);
	if (strcmp(state, "serving") == 0)
		return OK;
	if (strcmp(state, "moved") == 0)
		return fault_set(ret_fault, ERR_UNAVAILABLE, "moved", NULL,
				 "the data has been moved to another database");
	return fault_set(ret_fault, ERR_UNAVAILABLE, "loading", NULL, "the database is being filled");
}
