/* Table by table, what moving needs: see move_tables.h. */
#include "store/move_tables.h"

#include <stdlib.h>
#include <string.h>

const struct move_layout move_layouts[MOVE__MAX] = {
	[MOVE_USERS] =
		{
			.name = "users",
			.types = "tttttttnbnnn",
			.n_keys = 1,
			.users = "",
			.page = "SELECT id, username, username_key, display_name, display_name_key, password_hash, role, last_rev,"
				" must_change_password, created_at, disabled_at, deleted_at FROM users WHERE id > $1 ORDER BY id LIMIT"
				" $2",
			.one = "SELECT id, username, username_key, display_name, display_name_key, password_hash, role, last_rev,"
			       " must_change_password, created_at, disabled_at, deleted_at FROM users WHERE id = $1",
			.put = "INSERT INTO users (id, username, username_key, display_name, display_name_key, password_hash, role,"
			       " last_rev, must_change_password, created_at, disabled_at, deleted_at) VALUES ($1, $2, $3, $4, $5, $6,"
			       " $7, $8, $9, $10, $11, $12) ON CONFLICT (id) DO UPDATE SET username = excluded.username, username_key"
			       " = excluded.username_key, display_name = excluded.display_name, display_name_key ="
			       " excluded.display_name_key, password_hash = excluded.password_hash, role = excluded.role, last_rev ="
			       " excluded.last_rev, must_change_password = excluded.must_change_password, created_at ="
			       " excluded.created_at, disabled_at = excluded.disabled_at, deleted_at = excluded.deleted_at",
			.load = "COPY users (id, username, username_key, display_name, display_name_key, password_hash, role,"
				" last_rev, must_change_password, created_at, disabled_at, deleted_at) FROM STDIN",
			.count = "SELECT count(*) FROM users",
		},
	[MOVE_CONVERSATIONS] =
		{
			.name = "conversations",
			.types = "tttbnnnnntnnn",
			.n_keys = 1,
			.users = "j",
			.by_change = true,
			.one = "SELECT id, kind, title, public, slow_mode_s, retention_days, rev, last_seq, last_rev, created_by,"
			       " created_at, deleted_at, member_count FROM conversations WHERE id = $1",
			.put = "INSERT INTO conversations (id, kind, title, public, slow_mode_s, retention_days, rev, last_seq,"
			       " last_rev, created_by, created_at, deleted_at, member_count) VALUES ($1, $2, $3, $4, $5, $6, $7, $8,"
			       " $9, $10, $11, $12, $13) ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, title = excluded.title,"
			       " public = excluded.public, slow_mode_s = excluded.slow_mode_s, retention_days ="
			       " excluded.retention_days, rev = excluded.rev, last_seq = excluded.last_seq, last_rev ="
			       " excluded.last_rev, created_by = excluded.created_by, created_at = excluded.created_at, deleted_at ="
			       " excluded.deleted_at, member_count = excluded.member_count",
			.load = "COPY conversations (id, kind, title, public, slow_mode_s, retention_days, rev, last_seq, last_rev,"
				" created_by, created_at, deleted_at, member_count) FROM STDIN",
			.count = "SELECT count(*) FROM conversations",
		},
	[MOVE_MESSAGES] =
		{
			.name = "messages",
			.types = "tnntttttntnn",
			.n_keys = 2,
			.users = "e",
			.by_change = true,
			.put = "INSERT INTO messages (conversation_id, seq, rev, id, sender_id, recipient_id, content,"
			       " content_digest, timestamp, reply_to_id, edited_at, deleted_at) VALUES ($1, $2, $3, $4, $5, $6, $7,"
			       " $8, $9, $10, $11, $12) ON CONFLICT (conversation_id, seq) DO UPDATE SET rev = excluded.rev, id ="
			       " excluded.id, sender_id = excluded.sender_id, recipient_id = excluded.recipient_id, content ="
			       " excluded.content, content_digest = excluded.content_digest, timestamp = excluded.timestamp,"
			       " reply_to_id = excluded.reply_to_id, edited_at = excluded.edited_at, deleted_at = excluded.deleted_at",
			.load = "COPY messages (conversation_id, seq, rev, id, sender_id, recipient_id, content, content_digest,"
				" timestamp, reply_to_id, edited_at, deleted_at) FROM STDIN",
			.count = "SELECT count(*) FROM messages",
		},
	[MOVE_REACTIONS] =
		{
			.name = "reactions",
			.types = "tnttn",
			.n_keys = 4,
			.users = "d",
			.by_change = true,
			.put = "INSERT INTO reactions (conversation_id, seq, emoji, user_id, created_at) VALUES ($1, $2, $3, $4, $5)"
			       " ON CONFLICT (conversation_id, seq, emoji, user_id) DO UPDATE SET created_at = excluded.created_at",
			.load = "COPY reactions (conversation_id, seq, emoji, user_id, created_at) FROM STDIN",
			.count = "SELECT count(*) FROM reactions",
		},
	[MOVE_MEMBERS] =
		{
			.name = "members",
			.types = "tttnnnnnnnnn",
			.n_keys = 2,
			.users = "b",
			.page = "SELECT conversation_id, user_id, role, rev, user_rev, left_rev, joined_at, left_at, read_seq,"
				" delivered_seq, muted_until, last_sent_at FROM members WHERE (conversation_id, user_id) > ($1, $2)"
				" ORDER BY conversation_id, user_id LIMIT $3",
			.put = "INSERT INTO members (conversation_id, user_id, role, rev, user_rev, left_rev, joined_at, left_at,"
			       " read_seq, delivered_seq, muted_until, last_sent_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10,"
			       " $11, $12) ON CONFLICT (conversation_id, user_id) DO UPDATE SET role = excluded.role, rev ="
			       " excluded.rev, user_rev = excluded.user_rev, left_rev = excluded.left_rev, joined_at ="
			       " excluded.joined_at, left_at = excluded.left_at, read_seq = excluded.read_seq, delivered_seq ="
			       " excluded.delivered_seq, muted_until = excluded.muted_until, last_sent_at = excluded.last_sent_at",
			.load = "COPY members (conversation_id, user_id, role, rev, user_rev, left_rev, joined_at, left_at, read_seq,"
				" delivered_seq, muted_until, last_sent_at) FROM STDIN",
			.count = "SELECT count(*) FROM members",
		},
	[MOVE_SESSIONS] =
		{
			.name = "sessions",
			.types = "ttntttnttnnnnttt",
			.n_keys = 1,
			.users = "b",
			.page = "SELECT id, user_id, user_rev, family_hash, refresh_hash, previous_hash, rotated_at, user_agent,"
				" address, created_at, last_used_at, expires_at, revoked_at, kind, name, prefix FROM sessions WHERE id"
				" > $1 ORDER BY id LIMIT $2",
			.put = "INSERT INTO sessions (id, user_id, user_rev, family_hash, refresh_hash, previous_hash, rotated_at,"
			       " user_agent, address, created_at, last_used_at, expires_at, revoked_at, kind, name, prefix) VALUES"
			       " ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) ON CONFLICT (id) DO UPDATE"
			       " SET user_id = excluded.user_id, user_rev = excluded.user_rev, family_hash = excluded.family_hash,"
			       " refresh_hash = excluded.refresh_hash, previous_hash = excluded.previous_hash, rotated_at ="
			       " excluded.rotated_at, user_agent = excluded.user_agent, address = excluded.address, created_at ="
			       " excluded.created_at, last_used_at = excluded.last_used_at, expires_at = excluded.expires_at,"
			       " revoked_at = excluded.revoked_at, kind = excluded.kind, name = excluded.name, prefix ="
			       " excluded.prefix",
			.load = "COPY sessions (id, user_id, user_rev, family_hash, refresh_hash, previous_hash, rotated_at,"
				" user_agent, address, created_at, last_used_at, expires_at, revoked_at, kind, name, prefix) FROM"
				" STDIN",
			.count = "SELECT count(*) FROM sessions",
		},
	[MOVE_BLOCKS] =
		{
			.name = "blocks",
			.types = "ttnnn",
			.n_keys = 2,
			.users = "ab",
			.page = "SELECT user_id, blocked_user_id, user_rev, created_at, removed_at FROM blocks WHERE (user_id,"
				" blocked_user_id) > ($1, $2) ORDER BY user_id, blocked_user_id LIMIT $3",
			.put = "INSERT INTO blocks (user_id, blocked_user_id, user_rev, created_at, removed_at) VALUES ($1, $2, $3,"
			       " $4, $5) ON CONFLICT (user_id, blocked_user_id) DO UPDATE SET user_rev = excluded.user_rev,"
			       " created_at = excluded.created_at, removed_at = excluded.removed_at",
			.load = "COPY blocks (user_id, blocked_user_id, user_rev, created_at, removed_at) FROM STDIN",
			.remove = "DELETE FROM blocks WHERE user_id = $1 AND blocked_user_id = $2",
			.count = "SELECT count(*) FROM blocks",
		},
	[MOVE_CONNECTIONS] =
		{
			.name = "connections",
			.types = "ttn",
			.n_keys = 1,
			.users = "a",
			.page = "SELECT user_id, connection_status, last_seen FROM connections WHERE user_id > $1 ORDER BY user_id"
				" LIMIT $2",
			.put = "INSERT INTO connections (user_id, connection_status, last_seen) VALUES ($1, $2, $3) ON CONFLICT"
			       " (user_id) DO UPDATE SET connection_status = excluded.connection_status, last_seen ="
			       " excluded.last_seen",
			.load = "COPY connections (user_id, connection_status, last_seen) FROM STDIN",
			.count = "SELECT count(*) FROM connections",
		},
	[MOVE_INVITES] =
		{
			.name = "invites",
			.types = "ttttnntnn",
			.n_keys = 1,
			.users = "g",
			.page = "SELECT id, code_hash, note, created_by, created_at, expires_at, used_by, used_at, revoked_at FROM"
				" invites WHERE id > $1 ORDER BY id LIMIT $2",
			.put = "INSERT INTO invites (id, code_hash, note, created_by, created_at, expires_at, used_by, used_at,"
			       " revoked_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO UPDATE SET code_hash ="
			       " excluded.code_hash, note = excluded.note, created_by = excluded.created_by, created_at ="
			       " excluded.created_at, expires_at = excluded.expires_at, used_by = excluded.used_by, used_at ="
			       " excluded.used_at, revoked_at = excluded.revoked_at",
			.load = "COPY invites (id, code_hash, note, created_by, created_at, expires_at, used_by, used_at, revoked_at)"
				" FROM STDIN",
			.count = "SELECT count(*) FROM invites",
		},
	[MOVE_AUDIT] =
		{
			.name = "audit",
			.types = "tntttttt",
			.n_keys = 1,
			.users = "",
			.page = "SELECT id, at, actor, action, target, address, request_id, detail FROM audit WHERE id > $1 ORDER BY"
				" id LIMIT $2",
			.put = "INSERT INTO audit (id, at, actor, action, target, address, request_id, detail) VALUES ($1, $2, $3,"
			       " $4, $5, $6, $7, $8)",
			.load = "COPY audit (id, at, actor, action, target, address, request_id, detail) FROM STDIN",
			.count = "SELECT count(*) FROM audit",
		},
};

void
move_row_read(struct db_stmt *stmt, enum move_table table, struct arena *arena, struct move_row *ret_row)
{
	const char *types = move_layouts[table].types;

	ret_row->table = table;
	for (int i = 0; types[i]; i++) {
		struct move_value *value = &ret_row->values[i];

		*value = (struct move_value){.is_null = db_column_is_null(stmt, i)};
		if (value->is_null)
			continue;
		if (types[i] == 't')
			value->text = db_column_text(stmt, i, arena);
		else if (types[i] == 'n')
			value->number = db_column_int64(stmt, i);
		else
			value->number = db_column_bool(stmt, i);
	}
}

static void
append(struct buf *buf, const void *bytes, size_t len)
{
	if (!buf_append(buf, bytes, len))
		abort(); /* it has no bound */
}

/* So that no two rows are written alike: a value's length stands before it. */
static struct hash
hash_columns(const struct move_row *row, int n, const struct hash_key *key, struct buf *scratch)
{
	const char *types = move_layouts[row->table].types;

	buf_clear(scratch);
	for (int i = 0; i < n; i++) {
		const struct move_value *value = &row->values[i];
		int64_t number = value->number;

		if (value->is_null)
			number = -1;
		else if (types[i] == 't')
			number = (int64_t)strlen(value->text);
		append(scratch, value->is_null ? "0" : "1", 1);
		append(scratch, &number, sizeof number);
		if (value->text)
			append(scratch, value->text, (size_t)number);
	}
	return hash_of(key, scratch->bytes, scratch->len);
}

struct hash
move_row_key(const struct move_row *row, const struct hash_key *key, struct buf *scratch)
{
	return hash_columns(row, move_layouts[row->table].n_keys, key, scratch);
}

struct hash
move_row_hash(const struct move_row *row, const struct hash_key *key, struct buf *scratch)
{
	return hash_columns(row, (int)strlen(move_layouts[row->table].types), key, scratch);
}

static void
bind(struct db_stmt *stmt, const struct move_row *row, int n)
{
	const char *types = move_layouts[row->table].types;

	for (int i = 0; i < n; i++) {
		const struct move_value *value = &row->values[i];

		if (value->is_null)
			db_bind_null(stmt, i + 1);
		else if (types[i] == 't')
			db_bind_text(stmt, i + 1, value->text);
		else if (types[i] == 'n')
			db_bind_int64(stmt, i + 1, value->number);
		else
			db_bind_bool(stmt, i + 1, value->number != 0);
	}
}

enum status
move_row_put(struct db *db, const struct move_row *row)
{
	const struct move_layout *layout = &move_layouts[row->table];
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, layout->put);

	bind(stmt, row, (int)strlen(layout->types));
	return db_run(stmt);
}

enum status
move_row_remove(struct db *db, const struct move_row *row)
{
	const struct move_layout *layout = &move_layouts[row->table];
	CLEANUP_STMT struct db_stmt *stmt = db_prepare(db, layout->remove);

	bind(stmt, row, layout->n_keys);
	return db_run(stmt);
}

/* PostgreSQL 15, COPY, "Text Format". */
static void
encode_text(const char *text, struct buf *rows)
{
	static const char special[] = "\\\t\n\r";
	static const char *const escapes[] = {"\\\\", "\\t", "\\n", "\\r"};

	for (;;) {
		size_t plain = strcspn(text, special);

		append(rows, text, plain);
		text += plain;
		if (!*text)
			return;
		append(rows, escapes[strchr(special, *text) - special], 2);
		text++;
	}
}

void
move_row_encode(const struct move_row *row, struct buf *rows)
{
	const char *types = move_layouts[row->table].types;

	for (int i = 0; types[i]; i++) {
		const struct move_value *value = &row->values[i];

		if (i > 0)
			append(rows, "\t", 1);
		if (value->is_null)
			append(rows, "\\N", 2);
		else if (types[i] == 't')
			encode_text(value->text, rows);
		else if (types[i] == 'b')
			append(rows, value->number ? "t" : "f", 1);
		else if (!buf_printf(rows, "%lld", (long long)value->number))
			abort();
	}
	append(rows, "\n", 1);
}
