/* Table meta: see meta.h; it is filled by migrations (shared/db/migrate.c) and by the operator's commands. */
#include "store/meta.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"

enum status
meta_epoch_of(struct db *db, const char *epoch, const char *written_on, char ret_epoch[EVENT_EPOCH_SIZE])
{
	int64_t timeline;

	TRY(db_timeline(db, &timeline));
	if (timeline == strtoll(written_on, NULL, 10))
		snprintf(ret_epoch, EVENT_EPOCH_SIZE, "%s", epoch);
	else
		snprintf(ret_epoch, EVENT_EPOCH_SIZE, "%.40s.%" PRId64, epoch, timeline);
	return OK;
}

enum status
meta_epoch(struct db *db, char ret_epoch[EVENT_EPOCH_SIZE])
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db,
			   "SELECT e.value, t.value FROM meta e, meta t WHERE e.key = 'epoch' AND t.key = 'timeline'");
	char epoch[META_VALUE_SIZE], written_on[META_VALUE_SIZE];
	bool row;

	TRY(db_one(stmt, &row));
	if (!row)
		return ERR_INTERNAL;
	db_column_copy(stmt, 0, epoch, sizeof epoch);
	db_column_copy(stmt, 1, written_on, sizeof written_on);
	return meta_epoch_of(db, epoch, written_on, ret_epoch);
}

enum status
meta_check_state(const char *state, struct fault *ret_fault)
{
	if (strcmp(state, "serving") == 0)
		return OK;
	if (strcmp(state, "moved") == 0)
		return fault_set(ret_fault, ERR_UNAVAILABLE, "moved", NULL,
				 "The data was moved to another database: this server has to be started again with its "
				 "address. Send it again then.");
	return fault_set(ret_fault, ERR_UNAVAILABLE, "loading", NULL, "The database is being filled: try again later.");
}

enum status
meta_check_serving(struct db *db, struct fault *ret_fault)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, "SELECT value FROM meta WHERE key = 'state'");
	char state[META_VALUE_SIZE] = "";
	bool row;

	TRY(db_one(stmt, &row));
	if (row)
		db_column_copy(stmt, 0, state, sizeof state);
	return meta_check_state(state, ret_fault);
}

struct db_stmt *
meta_ask_serving_epoch(struct db *db)
{
	struct db_stmt *stmt =
		db_prepare(db, "SELECT e.value, t.value, w.value FROM meta e JOIN meta t ON t.key = 'timeline'"
			       " LEFT JOIN meta w ON w.key = 'state' WHERE e.key = 'epoch'");

	db_ask(stmt);
	return stmt;
}

enum status
meta_serving_epoch(struct db *db, struct db_stmt *asked, char ret_epoch[EVENT_EPOCH_SIZE], struct fault *ret_fault)
{
	char epoch[META_VALUE_SIZE], written_on[META_VALUE_SIZE], state[META_VALUE_SIZE];
	bool row;

	TRY(db_one(asked, &row));
	if (!row)
		return ERR_INTERNAL;
	db_column_copy(asked, 0, epoch, sizeof epoch);
	db_column_copy(asked, 1, written_on, sizeof written_on);
	db_column_copy(asked, 2, state, sizeof state);
	TRY(meta_check_state(state, ret_fault));
	return meta_epoch_of(db, epoch, written_on, ret_epoch);
}

static enum status
set(struct db *db, const char *key, const char *value)
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, "UPDATE meta SET value = $2 WHERE key = $1 RETURNING value");
	bool row;

	db_bind_text(stmt, 1, key);
	db_bind_text(stmt, 2, value);
	TRY(db_one(stmt, &row));
	return row ? OK : ERR_NOT_FOUND;
}

static enum status
forget_change_numbers(struct db *db)
{
	CLEANUP_STMT struct db_stmt *users = db_prepare(db, "UPDATE users SET change_no = 0 WHERE change_no <> 0");
	CLEANUP_STMT struct db_stmt *conversations =
		db_prepare(db, "UPDATE conversations SET change_no = 0 WHERE change_no <> 0");

	TRY(db_run(users));
	TRY(db_run(conversations));
	return set(db, "change_no", "0");
}

enum status
meta_begin_epoch(struct db *db, char ret_epoch[EVENT_EPOCH_SIZE])
{
	char epoch[ID_SIZE], timeline_text[META_VALUE_SIZE];
	int64_t timeline;

	id_make(epoch);
	TRY(db_timeline(db, &timeline));
	snprintf(timeline_text, sizeof timeline_text, "%" PRId64, timeline);
	TRY(set(db, "epoch", epoch));
	TRY(set(db, "timeline", timeline_text));
	TRY(set(db, "state", "serving"));
	TRY(forget_change_numbers(db));
	return meta_epoch(db, ret_epoch);
}

enum status
meta_count(struct db *db, struct meta_census *ret_census)
{
	CLEANUP_STMT struct db_stmt *stmt =
		db_prepare(db, "SELECT (SELECT CAST(value AS BIGINT) FROM meta WHERE key = 'schema'),"
			       " (SELECT count(*) FROM users WHERE deleted_at IS NULL),"
			       " (SELECT count(*) FROM conversations WHERE deleted_at IS NULL),"
			       " (SELECT count(*) FROM messages WHERE deleted_at IS NULL),"
			       " (SELECT max(timestamp) FROM messages)");
	bool row;

	TRY(db_one(stmt, &row));
	if (!row)
		return ERR_INTERNAL;
	*ret_census = (struct meta_census){
		.schema = db_column_int64(stmt, 0),
		.people = db_column_int64(stmt, 1),
		.conversations = db_column_int64(stmt, 2),
		.messages = db_column_int64(stmt, 3),
		.newest_message_at_ms = db_column_int64(stmt, 4),
	};
	return OK;
}

enum status
meta_sign_up(struct db *db, char ret_sign_up[META_SIGN_UP_SIZE])
{
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, "SELECT value FROM meta WHERE key = 'sign_up'");
	bool row;

	TRY(db_one(stmt, &row));
	if (!row)
		return ERR_INTERNAL;
	db_column_copy(stmt, 0, ret_sign_up, META_SIGN_UP_SIZE);
	return OK;
}

bool
meta_sign_up_is_known(const char *sign_up)
{
	static const char *const words[] = {"open", "invite", "closed", "default"};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcmp(words[i], sign_up) == 0)
			return true;
	return false;
}

enum status
meta_set_sign_up(struct db *db, const char *sign_up)
{
	return set(db, "sign_up", sign_up);
}
