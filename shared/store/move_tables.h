/* Every table as `stonechat migrate-db` reads and writes it: rows without meaning, all columns but change_no, which belongs to a
 * database and begins at 0 in another. A new column or table needs its place here (a test compares them with the schema). */
#ifndef STORE_MOVE_TABLES_H
#define STORE_MOVE_TABLES_H

#include "base/buf.h"
#include "base/hash.h"
#include "db/db.h"

/* In an order in which each refers only to those before it. */
enum move_table {
	MOVE_USERS,
	MOVE_CONVERSATIONS,
	MOVE_MESSAGES,
	MOVE_REACTIONS,
	MOVE_MEMBERS,
	MOVE_SESSIONS,
	MOVE_BLOCKS,
	MOVE_CONNECTIONS,
	MOVE_INVITES,
	MOVE_AUDIT,
	MOVE__MAX,
};

enum { MOVE_COLUMNS_MAX = 16, MOVE_KEYS_MAX = 4 };

struct move_layout {
	const char *name;
	const char *types; /* a letter for each column: t(ext), n(umber), b(oolean) */
	const char *users; /* the columns that are ids of users: letters from 'a' for column 0; "" */

	const char
		*page; /* all rows behind a key ($1 ... $n_keys), by key, $n_keys + 1 at most; NULL when never asked */
	const char *one;    /* by key; NULL when never asked */
	const char *put;    /* inserts or overwrites one */
	const char *load;   /* COPY of new ones, where there is such a thing */
	const char *remove; /* by key; NULL: rows of it never vanish */
	const char *count;

	int n_keys;     /* the first columns are the primary key */
	bool by_change; /* its changes are found by revisions; of other tables all rows are compared */
};

extern const struct move_layout move_layouts[MOVE__MAX];

struct move_value {
	bool is_null;
	const char *text; /* of columns t */
	int64_t number;   /* of columns n and b */
};

struct move_row {
	enum move_table table;
	struct move_value values[MOVE_COLUMNS_MAX];
};

/* The current row of a statement that has the table's columns. */
void move_row_read(struct db_stmt *stmt, enum move_table table, struct arena *arena, struct move_row *ret_row);

/* Of its key, and of all of it. `scratch` is room to work in. */
struct hash move_row_key(const struct move_row *row, const struct hash_key *key, struct buf *scratch);
struct hash move_row_hash(const struct move_row *row, const struct hash_key *key, struct buf *scratch);

/* Stores it, whether it is there already or not. */
MUST_USE enum status move_row_put(struct db *db, const struct move_row *row);
MUST_USE enum status move_row_remove(struct db *db, const struct move_row *row);

/* Appends it to `rows`, for db_load with the table's `load`. */
void move_row_encode(const struct move_row *row, struct buf *rows);

#endif
