/* For unit tests of what writes: people, drafts and operations in one line each. */
#ifndef TESTS_SUPPORT_WRITING_H
#define TESTS_SUPPORT_WRITING_H

#include "support/database.h"

#include "base/clock.h"
#include "store/users.h"
#include "writer/batch.h"

/* Inserts a person past the writer and tells their id. */
static inline void
add_person(struct test_database *test, const char *username, char ret_id[ID_SIZE])
{
	struct user user = {.username = username,
			    .username_key = username,
			    .display_name = username,
			    .created_at_ms = clock_wall_ms()};

	id_make(user.id);
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, users_insert(test->db, &user, "$hash", NULL));
	check_ok(test, db_commit(test->db, NULL));
	memcpy(ret_id, user.id, ID_SIZE);
}

/* A checked send to a person, as the pipeline hands it to the writer. `id` may be NULL. Not to be copied afterwards. */
static inline void
make_direct_send(struct write_send_message *ret_send, const char *sender_id, const char *recipient_id, const char *id,
		 const char *content)
{
	*ret_send = (struct write_send_message){.op.kind = WRITE_SEND_MESSAGE, .draft.content = content};
	memcpy(ret_send->draft.sender_id, sender_id, ID_SIZE);
	memcpy(ret_send->draft.recipient_id, recipient_id, ID_SIZE);
	if (id)
		memcpy(ret_send->draft.id, id, ID_SIZE);
	id_direct_conversation(sender_id, recipient_id, ret_send->draft.conversation_id);
	ret_send->op.conversation_id = ret_send->draft.conversation_id;
	assert_int_equal(message_draft_check(&ret_send->draft, NULL), OK);
}

/* The same, addressed by the conversation. */
static inline void
make_send(struct write_send_message *ret_send, const char *sender_id, const char *conversation_id, const char *id,
	  const char *content)
{
	make_direct_send(ret_send, sender_id, sender_id, id, content);
	memset(ret_send->draft.recipient_id, 0, ID_SIZE);
	memcpy(ret_send->draft.conversation_id, conversation_id, ID_SIZE);
}

/* Makes it a reply; the digest follows. */
static inline void
reply_to(struct write_send_message *send, const char *message_id)
{
	memcpy(send->draft.reply_to_id, message_id, ID_SIZE);
	assert_int_equal(message_draft_check(&send->draft, NULL), OK);
}

/* A change of a message, as the pipeline hands it to the writer; what the action needs is set afterwards. Not to be copied
 * afterwards. */
static inline void
make_change(struct write_change_message *ret_write, enum message_action action, const char *actor_id,
	    const char *conversation_id, const char *message_id)
{
	*ret_write = (struct write_change_message){.op.kind = WRITE_CHANGE_MESSAGE, .change.action = action};
	memcpy(ret_write->change.actor_id, actor_id, ID_SIZE);
	memcpy(ret_write->change.conversation_id, conversation_id, ID_SIZE);
	memcpy(ret_write->change.message_id, message_id, ID_SIZE);
	ret_write->op.conversation_id = ret_write->change.conversation_id;
}

static inline void
assert_refused(const struct write_op *op, enum status status, const char *code)
{
	check_status(op->status, status);
	assert_int_equal(op->fault.status, status);
	assert_non_null(op->fault.code);
	assert_string_equal(op->fault.code, code);
	assert_true(op->fault.detail[0] != '\0');
}

static inline void
assert_stored(const struct write_send_message *send, int64_t seq, int64_t rev)
{
	if (send->op.status != OK)
		fail_msg("%s: %s", status_name(send->op.status), send->op.fault.code);
	assert_false(send->replayed);
	assert_int_equal(send->stored.seq, seq);
	assert_int_equal(send->stored.rev, rev);
	assert_string_equal(send->stored.id, send->draft.id);
	assert_string_equal(send->stored.content, send->draft.content);
}

#endif
