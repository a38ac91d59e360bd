/* stonechat migrate: what a server needs before it starts: the data folder, the token key, and the database with the schema of
 * this version. Doing it again does nothing. `--dry-run` says what it would do to the database. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "db/db.h"
#include "db/migrate.h"
#include "folders.h"
#include "program.h"
#include "token.h"

static void
report(void *context, const struct migration *migration)
{
	(void)context;
	printf("applying %04" PRId64 " %s\n", migration->version, migration->name);
}

static enum status
apply(struct config *config, struct db *db, struct fault *ret_fault)
{
	struct token_key key;
	size_t n_applied;

	TRY(token_key_load(config->data, &key, ret_fault));
	TRY(migrate_run(db, report, NULL, &n_applied, ret_fault));
	if (n_applied == 0)
		printf("The database is up to date.\n");
	else
		printf("Applied: %zu. The database is up to date.\n", n_applied);
	return OK;
}

static enum status
list(struct db *db, struct fault *ret_fault)
{
	const struct migration *pending;
	size_t n_pending;

	TRY(migrate_pending(db, &pending, &n_pending, ret_fault));
	for (size_t i = 0; i < n_pending; i++)
		printf("pending %04" PRId64 " %s\n", pending[i].version, pending[i].name);
	if (n_pending == 0)
		printf("The database is up to date.\n");
	return OK;
}

static enum status
migrate(struct config *config, bool dry_run, struct fault *ret_fault)
{
	struct db *db;

	if (!dry_run)
		TRY(folders_make(config, ret_fault));
	TRY(db_open(config->database_url, dry_run ? DB_ACCESS_READ : DB_ACCESS_WRITE, &db, ret_fault));
	enum status status = dry_run ? list(db, ret_fault) : apply(config, db, ret_fault);
	db_close(db);
	return status;
}

int
cmd_migrate(struct config *config, int argc, char **argv)
{
	struct fault fault = {0};
	bool dry_run = argc == 1 && strcmp(argv[0], "--dry-run") == 0;

	if (argc > 0 && !dry_run)
		return program_give_up("stonechat migrate", PROGRAM_CALLED_WRONGLY,
				       "Nothing but --dry-run may follow; settings stand before the command.");
	if (migrate(config, dry_run, &fault) != OK)
		return program_give_up("stonechat migrate", PROGRAM_FAILED, fault.detail);
	return PROGRAM_DONE;
}
