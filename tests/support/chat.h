/* People, conversations and messages for tests of the stores, made by the stores themselves. */
#ifndef SUPPORT_CHAT_H
#define SUPPORT_CHAT_H

#include "support/database.h"

#include <inttypes.h>

#include "base/id.h"
#include "store/conversations.h"
#include "store/groups.h"
#include "store/messages.h"
#include "store/sessions.h"
#include "store/users.h"

enum { CHAT_NOW_MS = 1760000000 };

/* In an open write transaction. The display name is "<Name> of <username>"; ret_id may be NULL. */
static inline void
chat_insert_user(struct test_database *test, const char *username, char ret_id[ID_SIZE])
{
	struct user user = {
		.username = username,
		.username_key = username,
		.display_name = arena_printf(&test->arena, "Name of %s", username),
		.created_at_ms = CHAT_NOW_MS,
	};

	id_make(user.id);
	check_ok(test, users_insert(test->db, &user, "hash", NULL));
	if (ret_id)
		memcpy(ret_id, user.id, ID_SIZE);
}

static inline void
chat_make_user(struct test_database *test, const char *username, char ret_id[ID_SIZE])
{
	check_ok(test, db_begin(test->db, DB_WRITE));
	chat_insert_user(test, username, ret_id);
	check_ok(test, db_commit(test->db, NULL));
}

static inline void
chat_make_direct(struct test_database *test, const char *user_id, const char *other_id, int64_t now_ms,
		 char ret_id[ID_SIZE])
{
	bool created;

	id_direct_conversation(user_id, other_id, ret_id);
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, conversations_ensure_direct(test->db, ret_id, user_id, other_id, now_ms, &created));
	check_ok(test, db_commit(test->db, NULL));
	assert_true(created);
}

/* Stores n messages of one sender; their content is their seq in words: "message 1". */
static inline void
chat_send(struct test_database *test, const char *conversation_id, const char *sender_id, int64_t now_ms, size_t n)
{
	struct message *messages = arena_alloc(&test->arena, n * sizeof *messages);
	const struct message **pointers = arena_alloc(&test->arena, n * sizeof *pointers);
	int64_t last_seq, last_rev;

	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, conversations_advance(test->db, conversation_id, (int64_t)n, (int64_t)n, &last_seq, &last_rev));
	for (size_t i = 0; i < n; i++) {
		struct message *message = &messages[i];

		id_make(message->id);
		memcpy(message->conversation_id, conversation_id, ID_SIZE);
		memcpy(message->sender_id, sender_id, ID_SIZE);
		message->seq = last_seq - (int64_t)(n - 1 - i);
		message->rev = last_rev - (int64_t)(n - 1 - i);
		message->content = arena_printf(&test->arena, "message %" PRId64, message->seq);
		message->timestamp_ms = now_ms;
		pointers[i] = message;
	}
	messages_insert(test->db, pointers, n);
	check_ok(test, db_commit(test->db, NULL));
}

/* Runs one statement with the ids bound to $1 and $2, for states that no store makes yet; other_id NULL: $1 only. */
static inline void
chat_change(struct test_database *test, const char *sql, const char *id, const char *other_id)
{
	struct db_stmt *stmt;

	check_ok(test, db_begin(test->db, DB_WRITE));
	stmt = db_prepare(test->db, sql);
	db_bind_text(stmt, 1, id);
	if (other_id)
		db_bind_text(stmt, 2, other_id);
	check_ok(test, db_run(stmt));
	db_finish(stmt);
	check_ok(test, db_commit(test->db, NULL));
}

/* One call of a store that writes, in a transaction of its own. */
#define chat_write(test, call)                                                                                         \
	do {                                                                                                           \
		check_ok(test, db_begin((test)->db, DB_WRITE));                                                        \
		check_ok(test, call);                                                                                  \
		check_ok(test, db_commit((test)->db, NULL));                                                           \
	} while (0)

static inline void
chat_make_group(struct test_database *test, const char *title, const char *owner_id, const char *member_id,
		char ret_id[ID_SIZE])
{
	struct member members[] = {{.role = "owner", .rev = 1, .user_rev = 1, .joined_at_ms = CHAT_NOW_MS},
				   {.role = "member", .rev = 1, .user_rev = 1, .joined_at_ms = CHAT_NOW_MS + 1}};

	id_make(ret_id);
	memcpy(members[0].user_id, owner_id, ID_SIZE);
	memcpy(members[1].user_id, member_id, ID_SIZE);
	chat_write(test, groups_insert(test->db, ret_id, title, owner_id, 2, CHAT_NOW_MS));
	for (size_t i = 0; i < 2; i++) {
		memcpy(members[i].conversation_id, ret_id, ID_SIZE);
		chat_write(test, groups_join(test->db, &members[i], false));
	}
}

/* A log-in of a device, or with a name a personal access token; ends at CHAT_NOW_MS + 1000. */
static inline struct login_session
chat_log_in(struct test_database *test, const char *user_id, const char *hash, const char *name)
{
	struct login_session session = {
		.user_agent = "curl",
		.address = "127.0.0.1",
		.name = name,
		.prefix = name ? "stonechat_pat_01234567" : NULL,
		.created_at_ms = CHAT_NOW_MS,
		.last_used_at_ms = CHAT_NOW_MS,
		.expires_at_ms = CHAT_NOW_MS + 1000,
	};

	id_make(session.id);
	memcpy(session.user_id, user_id, ID_SIZE);
	snprintf(session.family_hash, sizeof session.family_hash, "family of %s", hash);
	snprintf(session.refresh_hash, sizeof session.refresh_hash, "%s", hash);
	chat_write(test, sessions_insert(test->db, &session));
	return session;
}

#define WITH_DATABASE(test) cmocka_unit_test_setup_teardown(test, test_database_setup, test_database_teardown)

#endif
