/* What a database must provide: one file fills one struct db_driver, and its rows (by the scheme of the url) stand in db.c.
 *
 * A driver knows nothing of the rules that db.c keeps for all of them (nesting, types, what follows an error). Each driver
 * defines its own struct db_connection and struct db_statement. */
#ifndef DB_DRIVER_H
#define DB_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "db/db.h"

struct db_connection;
struct db_statement;
struct db_driver_keeper;

/* Which of a migration's texts a database takes. */
enum db_dialect { DB_DIALECT_SQLITE, DB_DIALECT_POSTGRES, DB_DIALECT__MAX };

enum db_column_type { DB_COLUMN_NULL, DB_COLUMN_INT64, DB_COLUMN_TEXT, DB_COLUMN_OTHER };

struct db_driver {
	enum db_dialect dialect;
	size_t writers;  /* see db_writers */
	bool reconnects; /* a connection that was lost, or never there (DB_ACCESS_READER), is made by the next use */

	/* `address` is the url behind its scheme and colon. */
	enum status (*open)(const char *address, enum db_access access, struct db_connection **ret_connection,
			    struct fault *ret_fault);
	void (*close)(struct db_connection *connection);
	const char *(*error)(const struct db_connection *connection);
	uint64_t (*connection_number)(const struct db_connection *connection);

	/* A failed begin leaves nothing behind. rollback ends a transaction that began, also after a failed commit and when the
	 * database has rolled back by itself; it never fails. *ret_unknown is false unless commit sets it. */
	enum status (*begin)(struct db_connection *connection, enum db_transaction kind);
	enum status (*commit)(struct db_connection *connection, bool *ret_unknown);
	void (*rollback)(struct db_connection *connection);

	enum status (*take_time)(struct db_connection *connection); /* see db_take_time; NULL: nothing limits it */
	enum status (*lock)(struct db_connection *connection, enum db_lockable table, const char *const *ids,
			    size_t n_ids);
	enum status (*settle)(struct db_connection *connection); /* NULL: nothing is ever under way */
	enum status (*lock_schema)(
		struct db_connection *connection); /* against another migration, to the transaction's end */
	enum status (*has_table)(struct db_connection *connection, const char *name, bool *ret_has);
	enum status (*change_no)(struct db_connection *connection, int64_t *ret_change_no);
	enum status (*change_position)(struct db_connection *connection, int64_t *ret_position);
	enum status (*timeline)(struct db_connection *connection, int64_t *ret_timeline);
	/* What the newest error of this transaction had to do with other transactions; NULL where they never meet. */
	enum db_trouble (*trouble)(const struct db_connection *connection);

	/* *ret_n_parameters: the parameters are $1 ... $n, each at least once. *ret_writes: it changes data. */
	enum status (*prepare)(struct db_connection *connection, const char *sql, struct db_statement **ret_statement,
			       int *ret_n_parameters, bool *ret_writes);
	void (*destroy)(struct db_statement *statement);
	void (*bind_text)(struct db_statement *statement, int parameter, const char *text);
	void (*bind_int64)(struct db_statement *statement, int parameter, int64_t value);
	void (*bind_bool)(struct db_statement *statement, int parameter, bool value);
	void (*bind_null)(struct db_statement *statement, int parameter);
	/* NULL: it is stepped at once. Else sends it, and step waits for the answer. */
	void (*ask)(struct db_statement *statement);
	enum status (*step)(struct db_statement *statement, bool *ret_row);
	void (*reset)(struct db_statement *statement); /* ready for the next run, nothing bound */

	/* Of the current row. */
	int (*n_columns)(struct db_statement *statement);
	enum db_column_type (*column_type)(struct db_statement *statement, int column);
	int64_t (*column_int64)(struct db_statement *statement, int column);
	bool (*column_bool)(struct db_statement *statement, int column);
	const char *(*column_text)(struct db_statement *statement, int column,
				   size_t *ret_len); /* valid until step or reset */

	/* NULL: one by one is as fast. */
	enum status (*load)(struct db_connection *connection, const char *sql, const char *rows, size_t len);
	/* NULL: writers take turns anyway. */
	enum status (*lock_out)(struct db_connection *connection);
	void (*who_holds)(struct db_connection *connection, struct buf *ret_lines);

	enum status (*run_script)(struct db_connection *connection, const char *sql);

	enum status (*keeper_start)(const char *address, struct db_driver_keeper **ret_keeper, struct fault *ret_fault);
	void (*keeper_stop)(struct db_driver_keeper *keeper);
};

extern const struct db_driver db_driver_sqlite, db_driver_postgres;

/* For migrate.c. */
enum db_dialect db_dialect(const struct db *db);
MUST_USE enum status db_lock_schema(struct db *db);
MUST_USE enum status db_has_table(struct db *db, const char *name, bool *ret_has);

#endif
