/* What one request thread keeps between requests: its own connection to the database, opened when it is first needed and again
 * after it was lost, the epoch that goes into page keys, and the tokens it has verified. */
#ifndef READER_H
#define READER_H

#include <stdint.h>

#include "base/status.h"
#include "db/db.h"
#include "model/event.h"
#include "token.h"

enum { READER_EPOCH_MS = 5000 }; /* the epoch is read again when it is older */

/* An all-zero reader is valid. */
struct reader {
	struct db *db;
	char epoch[EVENT_EPOCH_SIZE];
	uint64_t epoch_connection; /* db_connection_number when the epoch was read; 0: not read */
	int64_t epoch_read_at_ms;
	struct token_cache tokens;
};

/* ERR_UNAVAILABLE when the database cannot be reached. */
MUST_USE enum status reader_db(struct reader *reader, const char *url, struct db **ret_db, struct fault *ret_fault);

/* The epoch, by way of `db` (what reader_db gave); it costs a query every READER_EPOCH_MS and at a new connection. Valid
 * until the next call. */
MUST_USE enum status reader_epoch(struct reader *reader, const char **ret_epoch);

/* After a request that the database failed: gives the connection up, so that the next one begins with a new one. */
void reader_give_up(struct reader *reader);

void reader_finish(struct reader *reader);

#endif
