/* One thread's connection to the database. */
#include "reader.h"

enum status
reader_db(struct reader *reader, const char *url, struct db **ret_db, struct fault *ret_fault)
{
	if (!reader->db)
		TRY(db_open(url, DB_ACCESS_READ, &reader->db, ret_fault));
	*ret_db = reader->db;
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
