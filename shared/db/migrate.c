/* Table `migrations` records what was applied with its checksum; meta.schema repeats the newest version for daemons. Both
 * change in the transaction of the migration itself, so a migration that fails leaves nothing. */
#include "db/migrate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"

enum { CHECKSUM_SIZE = 65, VERSION_TEXT_SIZE = 24 };

static enum status
database_fault(const struct db *db, enum status status, struct fault *ret_fault)
{
	return fault_set(ret_fault, status, "database_error", NULL, "the database failed: %s", db_error(db));
}

/* The turn to write, or the lock on the schema, did not come: there is nothing wrong with the database. */
static enum status
turn_fault(const struct db *db, enum status status, struct fault *ret_fault)
{
	if (db_trouble(db) != DB_TROUBLE_LOCKED && *db_error(db))
		return database_fault(db, status, ret_fault);
	return fault_set(
		ret_fault, status, "database_busy", NULL,
		"another program holds the database (another `stonechat migrate`?): when it has ended, run this again");
}

static enum status
check_applied(const struct db *db, int64_t version, const char *checksum, struct fault *ret_fault)
{
	if (version > (int64_t)n_migrations)
		return fault_set(ret_fault, ERR_UNAVAILABLE, "schema_newer", NULL,
				 "the database has schema %" PRId64
				 ", this program knows only %zu: install a newer version",
				 version, n_migrations);

	const struct migration *known = &migrations[version - 1];

	if (strcmp(known->text[db_dialect(db)].checksum, checksum) != 0)
		return fault_set(ret_fault, ERR_CONFLICT, "migration_changed", NULL,
				 "migration %04" PRId64
				 "_%s was applied with another text: a migration must never be changed",
				 version, known->name);
	return OK;
}

/* The version of the database (0: empty), after comparing what was applied with what is compiled in. */
static enum status
read_version(struct db *db, int64_t *ret_version, struct fault *ret_fault)
{
	char checksum[CHECKSUM_SIZE];
	int64_t version = 0;
	enum status status;
	bool exists = false, row;

	status = db_has_table(db, "migrations", &exists);
	if (status != OK)
		return database_fault(db, status, ret_fault);
	*ret_version = 0;
	if (!exists)
		return OK;

	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, "SELECT version, checksum FROM migrations ORDER BY version");

	while ((status = db_step(stmt, &row)) == OK && row) {
		version = db_column_int64(stmt, 0);
		db_column_copy(stmt, 1, checksum, sizeof checksum);
		TRY(check_applied(db, version, checksum, ret_fault));
	}
	if (status != OK)
		return database_fault(db, status, ret_fault);
	*ret_version = version;
	return OK;
}

static enum status
set_meta(struct db *db, const char *key, const char *value)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db,
			   "INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = $2");

	db_bind_text(stmt, 1, key);
	db_bind_text(stmt, 2, value);
	return db_run(stmt);
}

static enum status
record(struct db *db, const struct migration *migration)
{
	char version[VERSION_TEXT_SIZE];
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "INSERT INTO migrations (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)");

	db_bind_int64(stmt, 1, migration->version);
	db_bind_text(stmt, 2, migration->name);
	db_bind_text(stmt, 3, migration->text[db_dialect(db)].checksum);
	db_bind_int64(stmt, 4, clock_wall_ms());
	TRY(db_run(stmt));
	snprintf(version, sizeof version, "%" PRId64, migration->version);
	return set_meta(db, "schema", version);
}

/* What is decided when a database is made: its epoch, and the timeline of the server it was made on. */
static enum status
found(struct db *db)
{
	char epoch[ID_SIZE], timeline_text[VERSION_TEXT_SIZE];
	int64_t timeline;

	id_make(epoch);
	TRY(set_meta(db, "epoch", epoch));
	TRY(db_timeline(db, &timeline));
	snprintf(timeline_text, sizeof timeline_text, "%" PRId64, timeline);
	return set_meta(db, "timeline", timeline_text);
}

static enum status
apply(struct db *db, const struct migration *migration)
{
	if (migration->version == 1)
		TRY(db_run_script(db,
				  "CREATE TABLE migrations (version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL,"
				  " checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)"));
	TRY(db_run_script(db, migration->text[db_dialect(db)].sql));
	TRY(record(db, migration));
	if (migration->version == 1)
		TRY(found(db));
	return OK;
}

/* Applies the next one, in the open transaction; *ret_applied NULL: there is none. */
static enum status
apply_next(struct db *db, void (*report)(void *context, const struct migration *migration), void *context,
	   const struct migration **ret_applied, struct fault *ret_fault)
{
	const struct migration *next;
	enum status status;
	int64_t version;

	*ret_applied = NULL;
	status = db_lock_schema(db);
	if (status != OK)
		return turn_fault(db, status, ret_fault);
	TRY(read_version(db, &version, ret_fault));
	if (version == (int64_t)n_migrations)
		return OK;
	next = &migrations[version];
	if (report)
		report(context, next);
	status = apply(db, next);
	if (status != OK)
		return fault_set(ret_fault, status, "migration_failed", NULL, "migration %04" PRId64 "_%s failed: %s",
				 next->version, next->name, db_error(db));
	*ret_applied = next;
	return OK;
}

enum status
migrate_run(struct db *db, void (*report)(void *context, const struct migration *migration), void *context,
	    size_t *ret_applied, struct fault *ret_fault)
{
	const struct migration *applied;
	size_t n = 0;
	enum status status;

	do {
		status = db_begin(db, DB_WRITE);
		if (status != OK)
			return turn_fault(db, status, ret_fault);
		status = apply_next(db, report, context, &applied, ret_fault);
		if (status != OK || !applied) {
			db_rollback(db);
			break;
		}
		status = db_commit(db, NULL);
		if (status != OK)
			return database_fault(db, status, ret_fault);
		n++;
	} while (applied);
	if (status == OK)
		*ret_applied = n;
	return status;
}

enum status
migrate_pending(struct db *db, const struct migration **ret_first, size_t *ret_n, struct fault *ret_fault)
{
	int64_t version;

	TRY(read_version(db, &version, ret_fault));
	*ret_first = &migrations[version];
	*ret_n = n_migrations - (size_t)version;
	return OK;
}

static enum status
read_meta_version(struct db *db, const char *key, int64_t *ret_value)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, "SELECT CAST(value AS BIGINT) FROM meta WHERE key = $1");
	bool row;

	db_bind_text(stmt, 1, key);
	TRY(db_one(stmt, &row));
	*ret_value = row ? db_column_int64(stmt, 0) : 0;
	return OK;
}

static enum status
read_meta_text(struct db *db, const char *key, char *ret_value, size_t size)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, "SELECT substr(value, 1, 120) FROM meta WHERE key = $1");
	bool row;

	*ret_value = '\0';
	db_bind_text(stmt, 1, key);
	TRY(db_one(stmt, &row));
	if (row)
		db_column_copy(stmt, 0, ret_value, size);
	return OK;
}

/* A database that is being filled, or that was moved away, serves nobody. */
static enum status
check_state(struct db *db, struct fault *ret_fault)
{
	enum { UTF8_MAX = 4 };
	char state[120 * UTF8_MAX + 1], moved_to[120 * UTF8_MAX + 1];
	enum status status = read_meta_text(db, "state", state, sizeof state);

	if (status == OK)
		status = read_meta_text(db, "moved_to", moved_to, sizeof moved_to);
	if (status != OK)
		return database_fault(db, status, ret_fault);
	if (strcmp(state, "loading") == 0)
		return fault_set(
			ret_fault, ERR_UNAVAILABLE, "loading", NULL,
			"the database is being filled by `stonechat migrate-db`: wait for its end, or run it again "
			"if it was broken off");
	if (strcmp(state, "moved") == 0)
		return fault_set(ret_fault, ERR_UNAVAILABLE, "moved", NULL,
				 "the data was moved by `stonechat migrate-db`: set database.url to %s", moved_to);
	return OK;
}

enum status
migrate_check(struct db *db, struct fault *ret_fault)
{
	int64_t schema = 0, compatible_from = 0;
	bool exists = false;
	enum status status = db_has_table(db, "meta", &exists);

	if (status == OK && exists)
		status = read_meta_version(db, "schema", &schema);
	if (status == OK && exists)
		status = read_meta_version(db, "compatible_from", &compatible_from);
	if (status != OK)
		return database_fault(db, status, ret_fault);
	if (schema < (int64_t)n_migrations)
		return fault_set(ret_fault, ERR_UNAVAILABLE, "schema_older", NULL,
				 "the database has schema %" PRId64 ", this program needs %zu: run `stonechat migrate`",
				 schema, n_migrations);
	if (compatible_from > (int64_t)n_migrations)
		return fault_set(ret_fault, ERR_UNAVAILABLE, "schema_newer", NULL,
				 "the database has schema %" PRId64 " and works with programs from schema %" PRId64
				 " on, this one is %zu: install a newer version",
				 schema, compatible_from, n_migrations);
	return check_state(db, ret_fault);
}

enum status
migrate_check_url(const char *url, struct fault *ret_fault)
{
	struct db *db;

	TRY(db_open(url, DB_ACCESS_READ, &db, ret_fault));
	enum status status = migrate_check(db, ret_fault);
	db_close(db);
	return status;
}
