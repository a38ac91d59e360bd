/* What db.c (connections, transactions) and db_stmt.c (statements) share; nobody else includes it. */
#ifndef DB_DB_STMT_H
#define DB_DB_STMT_H

#include "db/db.h"
#include "db/driver.h"

enum { DB_ERROR_SIZE = 256 };

enum transaction_state { TRANSACTION_NONE, TRANSACTION_READ, TRANSACTION_WRITE };

struct db {
	const struct db_driver *driver;
	struct db_connection *connection;
	enum db_access access;
	enum transaction_state transaction;
	bool failed;                /* an error has ended the transaction: nothing runs in it any more */
	enum status unread;         /* of a statement that was asked, and failed without anybody's reading that */
	struct db_stmt *statements; /* by the address of their text */
	size_t n_in_use;
	char error[DB_ERROR_SIZE];
};

/* Ends the process: a bug of ours. `sql` may be NULL. */
_Noreturn void db_misuse(const char *what, const char *sql);

/* Passes the status of a driver's call on. Of an error it keeps the text, which later calls overwrite in the driver, and ends
 * the transaction it happened in: some databases do so themselves, some only after some errors, and none of it may show
 * above. */
MUST_USE enum status db_checked(struct db *db, enum status status);

/* What follows in a transaction that has failed: what nobody has been told yet, else ERR_UNAVAILABLE. */
enum status db_failed_status(const struct db *db);

/* The transaction is over: what is still in use can only be finished. */
void db_stmt_end_all(struct db *db);

/* Frees the cache; nothing may be in use. */
void db_stmt_destroy_all(struct db *db);

#endif
