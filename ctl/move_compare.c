/* Tables without a change number: all rows are read again and compared with what is known of the destination; what differs is
 * written. Reading is fast and happens before the fence as well, so that little is left to be written behind it. See move.h. */
#include <string.h>

#include "move.h"

enum { READ_PAGE_ROWS = 5000 };

struct pass {
	struct move *move;
	enum move_table table;
	struct move_map *map;
	int64_t n_written, n_seen;
	/* The key of the last row, for the next page. */
	struct arena arena;
	struct move_row last;
	/* The second pass over the destination. */
	bool verifies;
	bool differs;
};

static void
remember_key(struct pass *pass, const struct move_row *row)
{
	arena_reset(&pass->arena);
	for (int i = 0; i < move_layouts[pass->table].n_keys; i++)
		pass->last.values[i].text = arena_strdup(&pass->arena, row->values[i].text);
}

static void
begin_pass(struct pass *pass, struct move *move, enum move_table table)
{
	*pass = (struct pass){.move = move, .table = table, .map = &move->maps[table], .last.table = table};
	for (int i = 0; i < move_layouts[table].n_keys; i++)
		pass->last.values[i].text = ""; /* before all */
}

static enum status
write_difference(struct pass *pass, const struct move_row *row, const struct move_entry *entry)
{
	pass->n_written++;
	if (entry)
		return move_put_changed(pass->move, row);
	if (pass->table == MOVE_MEMBERS)
		TRY(move_need_conversation(pass->move, row->values[0].text));
	return move_put_new(pass->move, row);
}

static enum status
take_row(void *context, const struct move_row *row)
{
	struct pass *pass = context;
	struct move *move = pass->move;
	struct hash key = move_row_key(row, &move->hash_key, &move->scratch);
	struct hash content = move_row_hash(row, &move->hash_key, &move->scratch);
	struct move_entry *entry = move_map_find(pass->map, &key);

	remember_key(pass, row);
	move->rows_read += entry == NULL;
	pass->n_seen++;
	if (!entry || !hash_equal(&entry->row, &content))
		TRY(write_difference(pass, row, entry));
	entry = move_map_find(pass->map, &key);
	if (!entry)
		entry = move_map_add(pass->map, &key, move->generation);
	entry->row = content;
	entry->generation = move->generation;
	return OK;
}

/* Rows that the source no longer has. */

static enum status
take_gone(void *context, const struct move_row *row)
{
	struct pass *pass = context;
	struct move *move = pass->move;
	struct hash key = move_row_key(row, &move->hash_key, &move->scratch);
	const struct move_entry *entry = move_map_find(pass->map, &key);

	remember_key(pass, row);
	if (entry && entry->generation == move->generation)
		return OK;
	if (!move_layouts[pass->table].remove)
		return fault_set(&move->fault, ERR_INTERNAL, "source_broken", NULL,
				 "rows of %s have vanished from the source", move_layouts[pass->table].name);
	pass->n_written++;
	return move_row_remove(move->to, row);
}

static enum status
read_destination(struct pass *pass, enum status (*take)(void *context, const struct move_row *row))
{
	const struct move_sink sink = {take, pass};
	int64_t n;

	do {
		TRY(move_group_open(pass->move));
		TRY(move_flush(pass->move));
		TRY(move_page(pass->move->to, &pass->last, READ_PAGE_ROWS, &sink, &n));
	} while (n == READ_PAGE_ROWS);
	return move_group_close(pass->move);
}

/* The map is made anew of what is left. */
static enum status
remove_gone(struct move *move, enum move_table table, int64_t *n_written)
{
	struct pass pass;
	enum status status;

	begin_pass(&pass, move, table);
	status = read_destination(&pass, take_gone);
	arena_finish(&pass.arena);
	TRY(status);
	*n_written += pass.n_written;
	move_map_finish(&move->maps[table]);
	return move_load_map(move, table);
}

static enum status
read_source(struct pass *pass)
{
	const struct move_sink sink = {take_row, pass};
	int64_t n;

	do {
		TRY(move_group_open(pass->move));
		TRY(move_page(pass->move->from, &pass->last, READ_PAGE_ROWS, &sink, &n));
		TRY(move_group_close_if_full(pass->move));
	} while (n == READ_PAGE_ROWS);
	return move_group_close(pass->move);
}

enum status
move_table(struct move *move, enum move_table table, int64_t *ret_n)
{
	struct pass pass;
	enum status status;

	move->generation++;
	begin_pass(&pass, move, table);
	status = read_source(&pass);
	arena_finish(&pass.arena);
	TRY(status);
	if (pass.n_seen < (int64_t)pass.map->n)
		TRY(remove_gone(move, table, &pass.n_written));
	*ret_n = pass.n_written;
	return OK;
}

/* The destination as it is. */

static enum status
take_known(void *context, const struct move_row *row)
{
	struct pass *pass = context;
	struct move *move = pass->move;
	struct hash key = move_row_key(row, &move->hash_key, &move->scratch);
	struct hash content = move_row_hash(row, &move->hash_key, &move->scratch);
	struct move_entry *entry = move_map_find(pass->map, &key);

	remember_key(pass, row);
	pass->n_seen++;
	if (pass->verifies)
		pass->differs = pass->differs || !entry || !hash_equal(&entry->row, &content);
	else
		move_map_add(pass->map, &key, move->generation)->row = content;
	return OK;
}

enum status
move_load_map(struct move *move, enum move_table table)
{
	struct pass pass;
	enum status status;

	begin_pass(&pass, move, table);
	status = read_destination(&pass, take_known);
	arena_finish(&pass.arena);
	return status;
}

enum status
move_verify_table(struct move *move, enum move_table table)
{
	struct pass pass;
	enum status status;

	begin_pass(&pass, move, table);
	pass.verifies = true;
	status = read_destination(&pass, take_known);
	arena_finish(&pass.arena);
	TRY(status);
	if (!pass.differs && pass.n_seen == (int64_t)pass.map->n)
		return OK;
	return fault_set(
		&move->fault, ERR_INTERNAL, "differs", NULL,
		"table %s of the destination is not what was written to it: does somebody else write there? Empty "
		"it and run this again",
		move_layouts[table].name);
}
