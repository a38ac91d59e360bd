/* stonechat restored: what is left to do when the tools of a database server have put an older state back (pg_restore, a point in
 * time): begins a new epoch, so that everybody's devices begin anew instead of missing what comes. A copy of a SQLite database is
 * put back by stonechat restore, which does this itself. */
#include <inttypes.h>
#include <stdio.h>

#include "cmd.h"
#include "db/db.h"
#include "db/migrate.h"
#include "program.h"
#include "store/meta.h"

static enum status
begin_epoch(struct db *db, char ret_epoch[EVENT_EPOCH_SIZE], struct meta_census *ret_census)
{
	TRY(db_begin(db, DB_WRITE));
	TRY(db_take_time(db));
	TRY(meta_begin_epoch(db, ret_epoch));
	TRY(meta_count(db, ret_census));
	return db_commit(db, NULL);
}

static enum status
run(struct config *config, struct fault *ret_fault)
{
	char epoch[EVENT_EPOCH_SIZE];
	struct meta_census census;
	struct db *db;

	TRY(db_open(config->database_url, DB_ACCESS_WRITE, &db, ret_fault));
	enum status status = migrate_check(db, ret_fault);
	if (status == OK && begin_epoch(db, epoch, &census) != OK)
		status = fault_set(ret_fault, ERR_UNAVAILABLE, "database_error", NULL,
				   "Nothing was changed, the database failed: %s", db_error(db));
	if (status == OK)
		printf("The database holds people: %" PRId64 ", conversations: %" PRId64 ", messages: %" PRId64
		       " (schema %" PRId64 "), now in epoch %s.\n",
		       census.people, census.conversations, census.messages, census.schema, epoch);
	db_close(db);
	return status;
}

int
cmd_restored(struct config *config, int argc, char **argv)
{
	struct fault fault = {0};

	(void)argv;
	if (argc > 0)
		return program_give_up("stonechat restored", PROGRAM_CALLED_WRONGLY,
				       "Nothing may follow; settings stand before the command.");
	if (run(config, &fault) != OK)
		return program_give_up("stonechat restored", PROGRAM_FAILED, fault.detail);
	return PROGRAM_DONE;
}
