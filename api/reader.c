/* One thread's connection to the database. */
#include "reader.h"

enum status
reader_db(struct reader *reader, const char *url, struct db **ret_db, struct fault *ret_fault)
{
	if (!reader->db)
		TRY(db_open(url, DB_ACCESS_READER, &reader->db, ret_fault));
	*ret_db = reader->db;
	return OK;
}

void
reader_doubt(struct reader *reader)
{
	db_doubt(&reader->db);
}

void
reader_finish(struct reader *reader)
{
	db_close(reader->db);
	*reader = (struct reader){0};
}
