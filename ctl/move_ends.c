/* How a move begins (what may be moved where, and whose the destination is) and how it ends (the fence). See move.h. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "db/copy.h"
#include "db/migrate.h"
#include "move.h"
#include "store/meta.h"

enum {
	ROUNDS_MAX = 20,
	ROUND_SHORT_MS = 300,
	LAST_SHORT_MS = 30,
	FENCE_PATIENCE_MS = 15000, /* longer than PostgreSQL lets a transaction idle */
};

/* Before anything is changed. */

static enum status
open_source(struct move *move)
{
	const struct migration *pending;
	const char *path;
	size_t n_pending;

	if (copy_path(move->from_url, &path, NULL) == OK && access(path, F_OK) != 0)
		return fault_set(&move->fault, ERR_NOT_FOUND, "source_missing", NULL,
				 "there is no database %s: name the one that is in use in --from", path);
	TRY(db_open(move->from_url, DB_ACCESS_WRITE, &move->from, &move->fault));
	TRY(migrate_pending(move->from, &pending, &n_pending, &move->fault));
	if (n_pending == n_migrations)
		return fault_set(&move->fault, ERR_INVALID, "source_not_ours", NULL,
				 "the source is not a Stonechat database: name the one that is in use in --from");
	if (n_pending > 0)
		return fault_set(&move->fault, ERR_UNAVAILABLE, "schema_older", NULL,
				 "the source has an older schema than this program: run `stonechat migrate` first");
	return OK;
}

/* The first migrations alone are what a run that was broken off has made, unless somebody has used them. */
static enum status
judge_older(struct move *move)
{
	int64_t n_people;

	TRY(move_count(move->to, MOVE_USERS, &n_people));
	if (n_people == 0)
		return OK;
	return fault_set(&move->fault, ERR_INVALID, "destination_not_empty", NULL,
			 "the destination holds a Stonechat database of an older version: name an empty one in --to");
}

static enum status
open_destination(struct move *move, struct move_place *ret_place)
{
	const struct migration *pending;
	const char *path;
	size_t n_pending;

	*ret_place = (struct move_place){0};
	if (copy_path(move->to_url, &path, NULL) == OK && access(path, F_OK) != 0)
		return OK; /* made later */
	TRY(db_open(move->to_url, DB_ACCESS_WRITE, &move->to, &move->fault));
	TRY(migrate_pending(move->to, &pending, &n_pending, &move->fault));
	if (n_pending == n_migrations)
		return OK;
	if (n_pending > 0)
		return judge_older(move);
	return move_place(move->to, ret_place);
}

static enum status
judge_moved(struct move *move, const struct move_place *from, const struct move_place *to, bool *ret_moved)
{
	bool same = strcmp(from->epoch, to->epoch) == 0;

	*ret_moved = same && strcmp(to->state, "serving") == 0;
	if (*ret_moved || (same && strcmp(to->state, "loading") == 0))
		return OK;
	return fault_set(
		&move->fault, ERR_CONFLICT, "source_moved", NULL,
		"the source was moved already, and not to this destination: name where its data is now in --from, or "
		"see --reopen");
}

static enum status
judge_destination(struct move *move, const struct move_place *from, const struct move_place *to)
{
	bool same = strcmp(from->epoch, to->epoch) == 0;

	if (!*to->state)
		return OK;
	if (strcmp(to->state, "loading") == 0)
		return same ? OK
			    : fault_set(
				      &move->fault, ERR_CONFLICT, "destination_not_ours", NULL,
				      "the destination holds the beginning of a copy of another database, or of another "
				      "history of this one: empty it and run this again");
	if (same)
		return fault_set(&move->fault, ERR_INVALID, "same_database", NULL,
				 "--from and --to are the same database, or one is a copy of the other");
	if (to->has_people || strcmp(to->state, "serving") != 0)
		return fault_set(&move->fault, ERR_CONFLICT, "destination_not_empty", NULL,
				 "the destination is in use already: name an empty database in --to");
	return OK;
}

enum status
move_prepare(struct move *move, bool *ret_resumes, bool *ret_moved)
{
	struct move_place from, to;

	*ret_resumes = *ret_moved = false;
	TRY(open_source(move));
	TRY(move_place(move->from, &from));
	memcpy(move->epoch, from.epoch, sizeof move->epoch);
	TRY(open_destination(move, &to));
	*ret_resumes = strcmp(to.state, "loading") == 0;
	if (strcmp(from.state, "moved") == 0)
		return judge_moved(move, &from, &to, ret_moved);
	if (strcmp(from.state, "serving") != 0)
		return fault_set(&move->fault, ERR_CONFLICT, "source_loading", NULL,
				 "the source is being filled itself: let that end first");
	return judge_destination(move, &from, &to);
}

/* The copy. */

static enum status
claim(struct move *move)
{
	size_t n_applied;

	if (!move->to)
		TRY(db_open(move->to_url, DB_ACCESS_WRITE, &move->to, &move->fault));
	TRY(migrate_run(move->to, NULL, NULL, &n_applied, &move->fault));
	id_make(move->run);
	TRY(db_begin(move->to, DB_WRITE));
	TRY(move_claim(move->to, move->run, move->epoch));
	TRY(db_commit(move->to, NULL));
	move_fault_point("claimed");
	return OK;
}

static enum status
take_conversation(void *context, const struct move_row *row)
{
	struct move *move = context;
	struct move_entry *entry = move_add_conversation(move, row);

	entry->head.seq = row->values[7].number;
	return OK;
}

/* What an earlier run has copied. */
static enum status
load_maps(struct move *move)
{
	CLEANUP(arena_finish) struct arena arena = {0};
	const struct move_sink sink = {take_conversation, move};
	const char *after = "";
	struct move_ids ids;
	struct move_row row;
	bool found;

	move->generation = 1;
	for (int table = 0; table < MOVE__MAX; table++)
		if (!move_layouts[table].by_change)
			TRY(move_load_map(move, (enum move_table)table));
	do {
		TRY(move_conversations(move->to, after, MOVE_PAGE_ROWS, &arena, &ids));
		for (size_t i = 0; i < ids.n; i++) {
			row = (struct move_row){.table = MOVE_CONVERSATIONS, .values[0].text = ids.ids[i]};
			TRY(move_one(move->to, &row, &arena, &row, &found));
			if (found)
				TRY(sink.take(sink.context, &row));
		}
		after = ids.n ? ids.ids[ids.n - 1] : "";
	} while (ids.n == MOVE_PAGE_ROWS);
	return OK;
}

static enum status
expect(struct move *move)
{
	int64_t n;

	move->started_ms = clock_monotonic_ms();
	TRY(db_begin(move->from, DB_READ));
	TRY(db_take_time(move->from)); /* it counts all rows */
	TRY(db_change_position(move->from, &move->position));
	for (int table = 0; table < MOVE__MAX; table++) {
		TRY(move_count(move->from, (enum move_table)table, &n));
		move->rows_expected += n;
	}
	return db_commit(move->from, NULL);
}

/* Runs `step` for all conversations of the source. */
static enum status
each_conversation(struct move *move, enum status (*step)(struct move *move, const char *conversation_id))
{
	CLEANUP(arena_finish) struct arena arena = {0};
	char after[ID_SIZE] = "";
	struct move_ids ids;

	do {
		arena_reset(&arena);
		TRY(move_group_open(move));
		TRY(move_conversations(move->from, after, MOVE_PAGE_ROWS, &arena, &ids));
		for (size_t i = 0; i < ids.n; i++)
			TRY(step(move, ids.ids[i]));
		if (ids.n)
			snprintf(after, sizeof after, "%s", ids.ids[ids.n - 1]);
	} while (ids.n == MOVE_PAGE_ROWS);
	return move_group_close(move);
}

static enum status
each_table(struct move *move, int64_t *ret_n)
{
	int64_t n;

	*ret_n = 0;
	for (int table = 0; table < MOVE__MAX; table++) {
		if (move_layouts[table].by_change)
			continue;
		TRY(move_table(move, (enum move_table)table, &n));
		*ret_n += n;
	}
	return OK;
}

static enum status
copy_all(struct move *move)
{
	int64_t n;

	move->doing = "copying";
	TRY(move_table(move, MOVE_USERS, &n));
	TRY(each_conversation(move, move_conversation));
	TRY(each_table(move, &n));
	move_fault_point("copied");
	TRY(move_analyze(move->to));
	move->doing = "comparing";
	for (int table = 0; table < MOVE__MAX; table++)
		if (!move_layouts[table].by_change)
			TRY(move_verify_table(move, (enum move_table)table));
	TRY(each_conversation(move, move_verify_conversation));
	move_fault_point("verified");
	return OK;
}

/* What has changed since the last time. */
static enum status
follow_conversations(struct move *move)
{
	CLEANUP(arena_finish) struct arena arena = {0};
	struct move_ids ids;

	TRY(move_group_open(move));
	TRY(move_changed(move->from, move->position, &arena, &ids));
	TRY(db_change_position(move->from, &move->position));
	for (size_t i = 0; i < ids.n; i++)
		TRY(move_conversation(move, ids.ids[i]));
	for (size_t i = 0; i < ids.n; i++)
		TRY(move_verify_conversation(move, ids.ids[i]));
	return move_group_close(move);
}

static enum status
follow_tables(struct move *move)
{
	int64_t n;

	TRY(move_group_open(move));
	TRY(move_settings(move->from, move->to));
	TRY(move_group_close(move));
	return each_table(move, &n);
}

/* Until a step takes so little that not much can have happened meanwhile, or takes no less than before. */
static enum status
repeat(struct move *move, enum status (*step)(struct move *move), int64_t short_ms, unsigned *n_rounds)
{
	int64_t began_ms, before_ms, ms = INT64_MAX;

	for (int n = 0; n < ROUNDS_MAX; n++) {
		before_ms = ms;
		began_ms = clock_monotonic_ms();
		TRY(step(move));
		ms = clock_monotonic_ms() - began_ms;
		++*n_rounds;
		if (ms <= short_ms || ms / 3 * 4 > before_ms)
			break;
	}
	return OK;
}

static enum status
follow(struct move *move)
{
	TRY(follow_tables(move));
	return follow_conversations(move);
}

/* Messages, of which there are most, come last, so that few are left for the fence. */
static enum status
follow_closely(struct move *move, unsigned *n_rounds)
{
	move->doing = "following";
	TRY(repeat(move, follow, ROUND_SHORT_MS, n_rounds));
	return repeat(move, follow_conversations, LAST_SHORT_MS, n_rounds);
}

/* The fence. */

static enum status
check_fenced(struct move *move)
{
	struct move_place from;
	const struct migration *pending;
	size_t n_pending;

	TRY(move_place(move->from, &from));
	TRY(migrate_pending(move->from, &pending, &n_pending, &move->fault));
	if (n_pending == 0 && strcmp(from.epoch, move->epoch) == 0)
		return OK;
	return fault_set(&move->fault, ERR_CONFLICT, "source_changed", NULL,
			 "the source was restored or migrated meanwhile: empty the destination and run this again");
}

/* In the source's last transaction. */
static enum status
copy_rest(struct move *move)
{
	move->fenced = true;
	TRY(check_fenced(move));
	TRY(follow(move));
	TRY(move_verify_totals(move));
	TRY(move_group_close(move));
	move_fault_point("fenced");
	return move_leave(move->from, move->to_shown);
}

static enum status
open_for_service(struct move *move)
{
	TRY(db_begin(move->to, DB_WRITE));
	TRY(move_hold(move->to, move->run));
	TRY(move_open(move->to));
	return db_commit(move->to, NULL);
}

static enum status
begin_fence(struct move *move)
{
	enum status status = db_begin(move->from, DB_WRITE);

	if (status == OK)
		status = db_lock_out(move->from);
	if (status != OK)
		db_rollback(move->from);
	return status;
}

/* Whoever writes, or has read in a transaction that has not ended: a program that is stopped, pg_dump, somebody's psql. */
static enum status
refuse_busy(struct move *move)
{
	db_who_holds(move->from, &move->holders);
	return fault_set(
		&move->fault, ERR_UNAVAILABLE, "source_busy", NULL,
		"others have the source in use for longer than %d s%s. It serves as before: wait until they have "
		"ended, or end them, and run this again, which goes on from here",
		FENCE_PATIENCE_MS / 1000, move->holders.len ? " (above)" : ", and who is not known");
}

static enum status
come_to_fence(struct move *move, unsigned *n_rounds)
{
	int64_t until_ms = clock_monotonic_ms() + FENCE_PATIENCE_MS;
	enum status status;

	do {
		TRY(follow_closely(move, n_rounds));
		status = begin_fence(move);
	} while (status == ERR_UNAVAILABLE && clock_monotonic_ms() < until_ms);
	return status == ERR_UNAVAILABLE ? refuse_busy(move) : status;
}

static enum status
cross_fence(struct move *move, struct move_report *report)
{
	int64_t began_us, rows;
	bool unknown = false;
	enum status status;

	TRY(come_to_fence(move, &report->n_rounds));
	began_us = clock_monotonic_us();
	rows = move->rows_written;
	TRY(copy_rest(move));
	status = db_commit(move->from, &unknown);
	if (unknown)
		return fault_set(&move->fault, ERR_INTERNAL, "outcome_unknown", NULL,
				 "whether the source still serves is not known: run this again, which settles it");
	TRY(status);
	move_fault_point("source_left");
	status = open_for_service(move);
	if (status != OK && !move->fault.code)
		return fault_set(&move->fault, status, "not_opened", NULL,
				 "the source serves no longer and the destination not yet (%s): run this again",
				 db_error(move->to));
	report->fence_us = clock_monotonic_us() - began_us;
	report->copied_behind_fence = move->rows_written - rows;
	return status;
}

enum status
move_run(struct move *move, struct move_report *ret_report)
{
	hash_key_make(&move->hash_key);
	progress_begin(&move->progress);
	TRY(claim(move));
	TRY(expect(move));
	TRY(load_maps(move));
	move->n_groups = 0;
	TRY(copy_all(move));
	TRY(cross_fence(move, ret_report));
	ret_report->rows = move->rows_read > move->rows_expected ? move->rows_read : move->rows_expected;
	return OK;
}

enum status
move_reopen(struct move *move)
{
	struct move_place place;

	TRY(open_source(move));
	TRY(db_begin(move->from, DB_WRITE));
	TRY(move_place(move->from, &place));
	if (strcmp(place.state, "moved") != 0)
		return fault_set(&move->fault, ERR_CONFLICT, "not_moved", NULL,
				 "the source was not moved: there is nothing to reopen");
	TRY(meta_begin_epoch(move->from, move->epoch));
	return db_commit(move->from, NULL);
}

void
move_finish(struct move *move)
{
	for (int table = 0; table < MOVE__MAX; table++) {
		move_map_finish(&move->maps[table]);
		buf_finish(&move->loads[table]);
	}
	buf_finish(&move->scratch);
	buf_finish(&move->holders);
	db_close(move->from);
	db_close(move->to);
}
