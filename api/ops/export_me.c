/* GET /api/v1/users/me/export: everything that is the caller's, in pages, so that neither side needs the memory for all of it.
 *
 * The parts come one after the other; a page is of one part, and a cursor says which and from where. */
#include <string.h>

#include "base/clock.h"
#include "cursor.h"
#include "ops.gen.h"
#include "req.h"
#include "store/connections.h"
#include "store/exports.h"
#include "store/users.h"

enum { CONVERSATIONS_MAX = 50 /* that one page looks through */ };

enum part {
	PART_PROFILE,
	PART_SESSIONS,
	PART_MEMBERSHIPS,
	PART_BLOCKS,
	PART_MESSAGES,
	PART_REACTIONS,
	PART_INVITES,
	PART_ACTS,
	PART__MAX,
};

struct export
{
	struct req *req;
	struct db *db;
	json_t *items;
	int64_t limit;
	/* from where on, and where the next page begins */
	enum part part;
	int64_t seq;
	char key[ID_SIZE];
};

static void
next_part(struct export *export)
{
	export->part++;
	export->seq = 0;
	export->key[0] = '\0';
}

static json_t *
last_seen_to_json(const struct presence *presence)
{
	char text[CLOCK_TEXT_SIZE];

	if (!presence->last_seen_ms)
		return json_null();
	clock_format(presence->last_seen_ms, text);
	return json_string(text);
}

static enum status
write_profile(struct export *export)
{
	struct presence presence = {0};
	struct user user;
	bool exists;
	json_t *json;

	TRY(users_get(export->db, &export->req->arena, export->req->caller.user_id, &user, &export->req->fault));
	memcpy(presence.user_id, user.id, ID_SIZE);
	TRY(connections_last_seen(export->db, &presence, 1, &exists));
	json = me_to_json(&user);
	json_object_set_new(json, "last_seen", last_seen_to_json(&presence));
	json_object_set_new(json, "kind", json_string("profile"));
	json_array_append_new(export->items, json);
	next_part(export);
	return OK;
}

typedef enum status read_fn(struct db *db, struct arena *arena, const char *user_id, const char *after_id,
			    int64_t limit, struct export_row **ret_rows, size_t *ret_n);

/* Of the parts that are rows by a key; the others are NULL. */
static read_fn *const readers[PART__MAX] = {
	[PART_SESSIONS] = exports_sessions, [PART_MEMBERSHIPS] = exports_memberships,
	[PART_BLOCKS] = exports_blocks,     [PART_INVITES] = exports_invites,
	[PART_ACTS] = exports_acts,
};

static enum status
write_rows(struct export *export)
{
	struct export_row *rows;
	size_t n;

	TRY(readers[export->part](export->db, &export->req->arena, export->req->caller.user_id, export->key,
				  export->limit, &rows, &n));
	for (size_t i = 0; i < n; i++)
		json_array_append_new(export->items, export_row_to_json(&rows[i]));
	if (n < (size_t) export->limit)
		next_part(export);
	else
		memcpy(export->key, rows[n - 1].key, ID_SIZE);
	return OK;
}

/* What there is in the conversation export->key after export->seq; *ret_n counts what the page's limit is about. */
static enum status
write_conversation(struct export *export, int64_t room, int64_t *ret_n)
{
	struct arena *arena = &export->req->arena;
	const char *user_id = export->req->caller.user_id;
	struct export_row *rows;
	struct message *messages;
	size_t n;

	if (export->part == PART_REACTIONS) {
		TRY(exports_reactions(export->db, arena, user_id, export->key, export->seq, room, &rows, &n));
		*ret_n = 0;
		for (size_t i = 0; i < n; i++) {
			*ret_n += rows[i].seq != export->seq;
			export->seq = rows[i].seq;
			json_array_append_new(export->items, export_row_to_json(&rows[i]));
		}
		return OK;
	}
	TRY(exports_messages(export->db, arena, user_id, export->key, export->seq, room, &messages, &n));
	*ret_n = (int64_t)n;
	for (size_t i = 0; i < n; i++) {
		json_t *json = message_to_json(&messages[i]);

		json_object_del(json, "reactions"); /* others' */
		json_object_set_new(json, "kind", json_string("message"));
		json_array_append_new(export->items, json);
		export->seq = messages[i].seq;
	}
	return OK;
}

/* Conversation after conversation, until the page is full. */
static enum status
write_conversations(struct export *export)
{
	int64_t n_left = export->limit;

	for (int i = 0; i < CONVERSATIONS_MAX; i++) {
		int64_t n = 0;
		bool found;

		if (export->key[0])
			TRY(write_conversation(export, n_left, &n));
		if (n == n_left)
			return OK;
		n_left -= n;
		export->seq = 0;
		TRY(exports_next_conversation(export->db, export->req->caller.user_id, export->key, &found,
					      export->key));
		if (!found) {
			next_part(export);
			return OK;
		}
	}
	return OK;
}

static enum status
read_position(struct export *export)
{
	struct req *req = export->req;
	const char *text = "0";

	TRY(req_query_limit(req, &export->limit));
	TRY(cursor_read(req, req_query(req, "cursor"), "export", &export->seq, &text));
	export->part = (enum part)(text[0] - '0');
	if (text[0] < '0' || text[0] >= '0' + PART__MAX || strlen(text + 1) >= ID_SIZE || export->seq < 0)
		return req_fail(req, ERR_MALFORMED, "cursor_invalid", "This is no cursor of this list.");
	memcpy(export->key, text + 1, strlen(text + 1) + 1);
	return OK;
}

enum status
op_export_me(struct req *req)
{
	struct export export = {.req = req};
	enum status status;

	TRY(read_position(&export));
	TRY(req_db(req, &export.db));
	export.items = json_array();
	if (export.part == PART_PROFILE)
		status = write_profile(&export);
	else
		status = readers[export.part] ? write_rows(&export) : write_conversations(&export);
	if (status != OK) {
		json_decref(export.items);
		return status;
	}
	const char *text = arena_printf(&req->arena, "%d%s", (int)export.part, export.key);
	return req_reply(req, 200,
			 json_pack("{s:o, s:o}", "items", export.items, "next_cursor",
				   export.part < PART__MAX ? cursor_to_json(req, "export", export.seq, text)
							   : json_null()));
}
