/* What one request thread keeps between requests: its own connection to the database, opened when it is first needed and again
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

/* ERR_UNAVAILABLE when the database cannot be reached. */
MUST_USE enum status reader_db(struct reader *reader, const char *url, struct db **ret_db, struct fault *ret_fault);

/* After a request that the database failed: gives the connection up, so that the next one begins with a new one. */
void reader_give_up(struct reader *reader);

void reader_finish(struct reader *reader);

#endif
