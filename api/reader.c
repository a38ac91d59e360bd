/* One thread's connection to the database. */
#include "reader.h"

#include <assert.h>

#include "base/clock.h"
#include "store/meta.h"

enum status
reader_db(struct reader *reader, const char *url, struct db **ret_db, struct fault *ret_fault)
{
	if (!reader->db)
		TRY(db_open(url, DB_ACCESS_READ, &reader->db, ret_fault));
	*ret_db = reader->db;
	return OK;
}

enum status
reader_epoch(struct reader *reader, const char **ret_epoch)
{
	assert(reader->db);
	uint64_t connection = db_connection_number(reader->db);
	int64_t now_ms = clock_monotonic_ms();

	if (reader->epoch_connection != connection || now_ms - reader->epoch_read_at_ms > READER_EPOCH_MS) {
		TRY(meta_epoch(reader->db, reader->epoch));
		reader->epoch_connection = connection;
		reader->epoch_read_at_ms = now_ms;
	}
	*ret_epoch = reader->epoch;
	return OK;
}

void
reader_give_up(struct reader *reader)
{
	db_close(reader->db);
	*reader = (struct reader){0};
}

void
reader_finish(struct reader *reader)
{
	reader_give_up(reader);
}
