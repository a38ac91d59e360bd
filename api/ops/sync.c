/* POST /api/v1/sync: what changed for the caller, and which conversations they have to pull.
 *
 * The person's stream is read first and the heads after it, so a head is never older than what the memberships say. The
 * pages of one sync carry the person's revision of its first page (in the cursor): what changes in between is told again
 * next time rather than skipped. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cursor.h"
#include "json.h"
#include "ops.gen.h"
#include "req.h"
#include "store/changes.h"
#include "store/conversations.h"
#include "store/meta.h"

enum {
	MEMBERSHIPS_MAX = 10000, /* of one answer; a person in more conversations syncs again from there */
	KNOWN_MAX = 500,         /* as in the frame auth, so that a client tells both the same */
};

static const int64_t NUMBER_MAX = ((int64_t)1 << 53) - 1;

struct wish {
	const char *epoch;
	int64_t me;
	json_t *known; /* revision by conversation id; NULL: nothing */
	int64_t limit;

	/* from the cursor */
	bool is_later_page;
	int64_t rev; /* of the person's stream at the first page */
	int64_t before_ms;
	const char *before_id;
};

static enum status
check_rev(struct req *req, const json_t *rev)
{
	if (!json_is_integer(rev) || json_integer_value(rev) > NUMBER_MAX)
		return fault_set(&req->fault, ERR_MALFORMED, "wrong_type", "known",
				 "Revisions are integers below 2^53.");
	if (json_integer_value(rev) < 0)
		return fault_set(&req->fault, ERR_INVALID, "out_of_range", "known", "Revisions are not below 0.");
	return OK;
}

/* *known with its ids in the one form that ids are compared in; it belongs to the body as before. */
static enum status
normalize_known(struct req *req, json_t **known)
{
	CLEANUP_JSON json_t *normal = json_object();
	char id[ID_SIZE];
	const char *key;
	json_t *rev;

	if (json_object_size(*known) > KNOWN_MAX)
		return fault_set(
			&req->fault, ERR_INVALID, "too_many", "known",
			"known takes at most %d conversations: list the newest, the answer tells of the others.",
			KNOWN_MAX);
	json_object_foreach (*known, key, rev) {
		TRY(check_rev(req, rev));
		if (!id_normalize(key, id))
			return fault_set(&req->fault, ERR_INVALID, "id_invalid", "known",
					 "The keys of known must be conversation ids, which are UUIDs.");
		if (json_object_get(normal, id))
			return fault_set(&req->fault, ERR_INVALID, "id_repeated", "known",
					 "A conversation stands twice in known, in two spellings of its id: list it "
					 "once.");
		json_object_set(normal, id, rev);
	}
	json_object_set(req->body, "known", normal);
	*known = normal;
	return OK;
}

static enum status
check_numbers(struct req *req, const struct wish *wish)
{
	if (wish->me < 0)
		return fault_set(&req->fault, ERR_INVALID, "out_of_range", "me", "me is not below 0.");
	if (wish->limit < 1 || wish->limit > REQ_LIMIT_MAX)
		return fault_set(&req->fault, ERR_INVALID, "out_of_range", "limit", "limit is from 1 to %d.",
				 REQ_LIMIT_MAX);
	return OK;
}

/* The cursor's text is `rev id`. */
static enum status
read_cursor(struct req *req, const char *cursor, struct wish *wish)
{
	const char *text = NULL;
	long long rev;

	TRY(cursor_read(req, cursor, "sync", &wish->before_ms, &text));
	if (!text)
		return OK;

	size_t len = strcspn(text, " ");
	if (!text[len] || !text_to_int64(arena_memdup(&req->arena, text, len), &rev))
		return fault_set(&req->fault, ERR_MALFORMED, "cursor_invalid", "cursor",
				 "This is not a cursor of a sync.");
	wish->is_later_page = true;
	wish->rev = rev;
	wish->before_id = text + len + 1;
	return OK;
}

static enum status
read_wish(struct req *req, struct wish *ret_wish)
{
	struct wish wish = {.limit = REQ_LIMIT_MAX};
	const char *cursor = NULL;
	const struct json_field fields[] = {
		{"epoch", JSON_KIND_TEXT, false, &wish.epoch},   {"me", JSON_KIND_INT, false, &wish.me},
		{"known", JSON_KIND_OBJECT, false, &wish.known}, {"cursor", JSON_KIND_TEXT, false, &cursor},
		{"limit", JSON_KIND_INT, false, &wish.limit},
	};

	TRY(json_decode(req->body, fields, sizeof fields / sizeof fields[0], &req->arena, &req->fault));
	if (wish.known)
		TRY(normalize_known(req, &wish.known));
	TRY(check_numbers(req, &wish));
	TRY(read_cursor(req, cursor, &wish));
	*ret_wish = wish;
	return OK;
}

static int
newest_first(const void *left, const void *right)
{
	const struct head *a = left, *b = right;

	if (a->activity_ms != b->activity_ms)
		return a->activity_ms < b->activity_ms ? 1 : -1;
	return strcmp(b->conversation_id, a->conversation_id);
}

static bool
was_told(const struct wish *wish, const struct head *head)
{
	struct head last = {.activity_ms = wish->before_ms};

	if (!wish->is_later_page)
		return false;
	snprintf(last.conversation_id, sizeof last.conversation_id, "%s", wish->before_id);
	return newest_first(head, &last) <= 0;
}

static bool
has_moved(const struct wish *wish, const struct head *head)
{
	const json_t *rev = json_object_get(wish->known, head->conversation_id);

	return !rev || json_integer_value(rev) != head->last_rev;
}

/* One page of the heads (sorted) that moved, and where the next one begins. */
static json_t *
heads_to_json(struct req *req, const struct wish *wish, const struct head *heads, size_t n_heads, json_t **ret_cursor)
{
	const struct head *last = NULL;
	json_t *array = json_array();

	*ret_cursor = NULL;
	for (size_t i = 0; i < n_heads; i++) {
		if (was_told(wish, &heads[i]) || !has_moved(wish, &heads[i]))
			continue;
		if (last && json_array_size(array) == (size_t)wish->limit) {
			const char *text =
				arena_printf(&req->arena, "%" PRId64 " %s", wish->rev, last->conversation_id);

			*ret_cursor = cursor_to_json(req, "sync", last->activity_ms, text);
			break;
		}
		json_array_append_new(array, head_to_json(&heads[i]));
		last = &heads[i];
	}
	if (!*ret_cursor)
		*ret_cursor = json_null();
	return array;
}

/* What the client thinks it is in and is not. */
static json_t *
removed_to_json(json_t *known, const struct head *heads, size_t n_heads)
{
	CLEANUP_JSON json_t *left = known ? json_copy(known) : json_object();
	json_t *array = json_array(), *rev;
	const char *id;

	for (size_t i = 0; i < n_heads; i++)
		json_object_del(left, heads[i].conversation_id);
	json_object_foreach (left, id, rev)
		json_array_append_new(array, json_string(id));
	return array;
}

/* The rows of the person's stream, and how far they go. */
static json_t *
stream_to_json(const struct person_changes *changes, int64_t rev)
{
	json_t *json = person_rows_to_json(changes);

	json_object_set_new(json, "rev", json_integer(rev));
	return json;
}

/* Changes of the person's stream, on the first page; from its start when the client knows more than there is (it is from
 * another life of the database). */
static enum status
read_person(struct req *req, struct db *db, struct wish *wish, struct person_changes *ret_changes)
{
	struct person_changes changes = {0};

	if (!wish->is_later_page) {
		TRY(changes_of_person(db, &req->arena, req->caller.user_id, wish->me, MEMBERSHIPS_MAX, &changes));
		if (wish->me > changes.last_rev) {
			wish->known = NULL;
			TRY(changes_of_person(db, &req->arena, req->caller.user_id, 0, MEMBERSHIPS_MAX, &changes));
		}
		wish->rev = changes.next_after_rev;
	}
	*ret_changes = changes;
	return OK;
}

enum status
op_sync(struct req *req)
{
	char epoch[EVENT_EPOCH_SIZE];
	struct person_changes person;
	struct head *heads;
	json_t *cursor;
	size_t n_heads;
	int64_t me;
	struct wish wish;
	struct db *db;

	TRY(read_wish(req, &wish));
	TRY(req_db(req, &db));
	TRY(meta_epoch(db, epoch));
	if (!wish.epoch || strcmp(wish.epoch, epoch) != 0) {
		wish.me = 0;
		wish.known = NULL;
	}
	TRY(read_person(req, db, &wish, &person));
	TRY(conversations_heads(db, &req->arena, req->caller.user_id, &me, &heads, &n_heads));
	if (n_heads > 1)
		qsort(heads, n_heads, sizeof *heads, newest_first);

	json_t *moved = heads_to_json(req, &wish, heads, n_heads, &cursor);
	return req_reply(req, 200,
			 json_pack("{s:s, s:o, s:o, s:o, s:o}", "epoch", epoch, "me", stream_to_json(&person, wish.rev),
				   "conversations", moved, "removed", removed_to_json(wish.known, heads, n_heads),
				   "next_cursor", cursor));
}
