/* What one request thread keeps between requests: its own connection to the database, opened when it is first needed and made again
 * after it was lost, and the tokens it has verified. */
#ifndef READER_H
#define READER_H

#include "base/status.h"
#include "db/db.h"
#include "token.h"

/* An all-zero reader is valid. */
struct reader {
	struct db *db;
	struct token_cache tokens;
};

/* ERR_UNAVAILABLE when the database cannot be opened. That a server is away is said by the first statement. */
MUST_USE enum status reader_db(struct reader *reader, const char *url, struct db **ret_db, struct fault *ret_fault);

/* After a request that the database failed: the next one begins with a connection that is known to be good (db_doubt). */
void reader_doubt(struct reader *reader);

void reader_finish(struct reader *reader);

#endif
