/* Connections and transactions: the rules that hold on every database, among them what an error does to its transaction. The
 * work itself is the driver's; statements stand in db_stmt.c. */
#include "db/db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/db_stmt.h"
#include "db/driver.h"

static const struct {
	const char *scheme; /* of the url: <scheme>:<address> */
	const struct db_driver *driver;
} drivers[] = {
	{"sqlite", &db_driver_sqlite},
	{"postgres", &db_driver_postgres},
	{"postgresql", &db_driver_postgres},
};

void
db_misuse(const char *what, const char *sql)
{
	fprintf(stderr, "misuse of the database layer: %s%s%s\n", what, sql ? ": " : "", sql ? sql : "");
	abort();
}

static const struct db_driver *
find_driver(const char *url, const char **ret_address)
{
	for (size_t i = 0; i < sizeof drivers / sizeof drivers[0]; i++) {
		size_t len = strlen(drivers[i].scheme);

		if (strncmp(url, drivers[i].scheme, len) == 0 && url[len] == ':' && url[len + 1] != '\0') {
			*ret_address = url + len + 1;
			return drivers[i].driver;
		}
	}
	return NULL;
}

/* What stands behind the scheme may hold a password. */
static enum status
unknown_url(const char *url, struct fault *ret_fault)
{
	return fault_set(ret_fault, ERR_INVALID, "database_url", NULL,
			 "database.url is sqlite:<path> or postgres://<user>@<host>/<database>, not %.*s: ...",
			 (int)strcspn(url, ":"), url);
}

enum status
db_open(const char *url, enum db_access access, struct db **ret_db, struct fault *ret_fault)
{
	const char *address;
	const struct db_driver *driver = find_driver(url, &address);
	struct db_connection *connection;
	struct db *db;

	if (!driver)
		return unknown_url(url, ret_fault);
	TRY(driver->open(address, access, &connection, ret_fault));
	db = calloc(1, sizeof *db);
	if (!db)
		abort();
	db->driver = driver;
	db->connection = connection;
	db->access = access;
	*ret_db = db;
	return OK;
}

void
db_close(struct db *db)
{
	if (!db)
		return;
	if (db->n_in_use > 0)
		db_misuse("closed with a statement in use", NULL);
	db_rollback(db);
	db_stmt_destroy_all(db);
	db->driver->close(db->connection);
	free(db);
}

void
db_doubt(struct db **db)
{
	if (*db && (*db)->driver->reconnects) {
		(*db)->error[0] = '\0';
		return;
	}
	db_close(*db);
	*db = NULL;
}

const char *
db_error(const struct db *db)
{
	return db->error;
}

uint64_t
db_connection_number(const struct db *db)
{
	return db->driver->connection_number(db->connection);
}

enum db_dialect
db_dialect(const struct db *db)
{
	return db->driver->dialect;
}

enum status
db_checked(struct db *db, enum status status)
{
	if (status != OK) {
		snprintf(db->error, sizeof db->error, "%s", db->driver->error(db->connection));
		db->failed = db->transaction != TRANSACTION_NONE;
	}
	return status;
}

enum status
db_failed_status(const struct db *db)
{
	return db->unread != OK ? db->unread : ERR_UNAVAILABLE;
}

enum status
db_begin(struct db *db, enum db_transaction kind)
{
	if (db->transaction != TRANSACTION_NONE)
		db_misuse("a transaction in a transaction", NULL);
	if (kind == DB_WRITE && db->access != DB_ACCESS_WRITE)
		db_misuse("a write transaction on a connection that reads", NULL);
	TRY(db_checked(db, db->driver->begin(db->connection, kind)));
	db->transaction = kind == DB_WRITE ? TRANSACTION_WRITE : TRANSACTION_READ;
	db->failed = false;
	db->unread = OK;
	return OK;
}

enum status
db_commit(struct db *db, bool *ret_unknown)
{
	bool unknown = false;
	enum status status;

	if (db->transaction == TRANSACTION_NONE)
		db_misuse("commit outside a transaction", NULL);
	if (db->n_in_use > 0)
		db_misuse("commit with a statement in use", NULL);
	if (db->failed) {
		db_rollback(db);
		status = db_failed_status(db);
	} else {
		status = db_checked(db, db->driver->commit(db->connection, &unknown));
		if (status != OK)
			db->driver->rollback(db->connection);
		db->transaction = TRANSACTION_NONE;
		db->failed = false;
	}
	if (ret_unknown)
		*ret_unknown = unknown;
	return status;
}

void
db_rollback(struct db *db)
{
	if (db->transaction == TRANSACTION_NONE)
		return;
	db_stmt_end_all(db);
	db->driver->rollback(db->connection);
	db->transaction = TRANSACTION_NONE;
	db->failed = false;
}

bool
db_in_transaction(const struct db *db)
{
	return db->transaction != TRANSACTION_NONE;
}

enum db_trouble
db_trouble(const struct db *db)
{
	return db->driver->trouble ? db->driver->trouble(db->connection) : DB_TROUBLE_NONE;
}

size_t
db_writers(const struct db *db)
{
	return db->driver->writers;
}

enum status
db_take_time(struct db *db)
{
	if (db->transaction == TRANSACTION_NONE)
		db_misuse("db_take_time outside a transaction", NULL);
	if (db->failed)
		return db_failed_status(db);
	return db->driver->take_time ? db_checked(db, db->driver->take_time(db->connection)) : OK;
}

static void
require_write(const struct db *db, const char *what)
{
	if (db->transaction != TRANSACTION_WRITE)
		db_misuse(what, NULL);
}

enum status
db_lock(struct db *db, enum db_lockable table, const char *const *ids, size_t n_ids)
{
	require_write(db, "db_lock outside a write transaction");
	for (size_t i = 1; i < n_ids; i++)
		if (strcmp(ids[i - 1], ids[i]) > 0)
			db_misuse("db_lock with unsorted ids", NULL);
	if (db->failed)
		return db_failed_status(db);
	return db_checked(db, db->driver->lock(db->connection, table, ids, n_ids));
}

enum status
db_settle(struct db *db)
{
	if (db->failed)
		return db_failed_status(db);
	return db->driver->settle ? db_checked(db, db->driver->settle(db->connection)) : OK;
}

enum status
db_lock_schema(struct db *db)
{
	require_write(db, "db_lock_schema outside a write transaction");
	return db->failed ? db_failed_status(db) : db_checked(db, db->driver->lock_schema(db->connection));
}

enum status
db_has_table(struct db *db, const char *name, bool *ret_has)
{
	return db->failed ? db_failed_status(db) : db_checked(db, db->driver->has_table(db->connection, name, ret_has));
}

enum status
db_change_no(struct db *db, int64_t *ret_change_no)
{
	require_write(db, "db_change_no outside a write transaction");
	return db->failed ? db_failed_status(db) : db_checked(db, db->driver->change_no(db->connection, ret_change_no));
}

enum status
db_change_position(struct db *db, int64_t *ret_position)
{
	if (db->transaction == TRANSACTION_NONE)
		db_misuse("db_change_position outside a transaction", NULL);
	return db->failed ? db_failed_status(db)
			  : db_checked(db, db->driver->change_position(db->connection, ret_position));
}

enum status
db_timeline(struct db *db, int64_t *ret_timeline)
{
	return db_checked(db, db->driver->timeline(db->connection, ret_timeline)); /* nothing is asked */
}

bool
db_can_load(const struct db *db)
{
	return db->driver->load != NULL;
}

enum status
db_load(struct db *db, const char *sql, const char *rows, size_t len)
{
	require_write(db, "db_load outside a write transaction");
	return db->failed ? db_failed_status(db) : db_checked(db, db->driver->load(db->connection, sql, rows, len));
}

enum status
db_lock_out(struct db *db)
{
	require_write(db, "db_lock_out outside a write transaction");
	if (db->failed)
		return db_failed_status(db);
	return db->driver->lock_out ? db_checked(db, db->driver->lock_out(db->connection)) : OK;
}

void
db_who_holds(struct db *db, struct buf *ret_lines)
{
	db->driver->who_holds(db->connection, ret_lines);
}

enum status
db_run_script(struct db *db, const char *sql)
{
	require_write(db, "a script outside a write transaction");
	return db->failed ? db_failed_status(db) : db_checked(db, db->driver->run_script(db->connection, sql));
}

struct db_keeper {
	const struct db_driver *driver;
	struct db_driver_keeper *keeper;
};

enum status
db_keeper_start(const char *url, struct db_keeper **ret_keeper, struct fault *ret_fault)
{
	const char *address;
	const struct db_driver *driver = find_driver(url, &address);
	struct db_driver_keeper *inner = NULL;

	if (!driver)
		return unknown_url(url, ret_fault);
	*ret_keeper = NULL;
	if (!driver->keeper_start)
		return OK;
	TRY(driver->keeper_start(address, &inner, ret_fault));
	*ret_keeper = calloc(1, sizeof **ret_keeper);
	if (!*ret_keeper)
		abort();
	(*ret_keeper)->driver = driver;
	(*ret_keeper)->keeper = inner;
	return OK;
}

void
db_keeper_stop(struct db_keeper *keeper)
{
	if (!keeper)
		return;
	keeper->driver->keeper_stop(keeper->keeper);
	free(keeper);
}
