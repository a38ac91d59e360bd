/* Conversations and members as JSON, as one caller sees them. */
#include "model/conversation.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"

static json_t *
cursor_to_json(const struct member *member, int64_t seq)
{
	return member->shows_cursors ? json_integer(seq) : json_null();
}

json_t *
member_to_json(const struct member *member)
{
	char joined_at[CLOCK_TEXT_SIZE], left_at[CLOCK_TEXT_SIZE];

	clock_format(member->joined_at_ms, joined_at);
	clock_format(member->left_at_ms, left_at);
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:s?, s:o, s:o}", "user_id", member->user_id, "username",
			 member->username, "display_name", member->display_name, "role", member->role, "rev",
			 (json_int_t)member->rev, "joined_at", joined_at, "left_at",
			 member->left_at_ms ? left_at : NULL, "read_seq", cursor_to_json(member, member->read_seq),
			 "delivered_seq", cursor_to_json(member, member->delivered_seq));
}

json_t *
conversation_to_json(const struct conversation *conversation)
{
	const struct message *last = conversation->last_message;
	char created_at[CLOCK_TEXT_SIZE], muted_until[CLOCK_TEXT_SIZE];
	json_t *members = json_array();

	for (size_t i = 0; i < conversation->n_members; i++)
		json_array_append_new(members, member_to_json(&conversation->members[i]));
	clock_format(conversation->created_at_ms, created_at);
	json_t *json = json_pack("{s:s, s:s, s:s?, s:o, s:I, s:o, s:I, s:I, s:I, s:I, s:s, s:I, s:I, s:s?}", "id",
				 conversation->id, "kind", conversation->kind, "title", conversation->title, "members",
				 members, "member_count", (json_int_t)conversation->member_count, "last_message",
				 last ? message_to_json(last) : json_null(), "unread_count",
				 (json_int_t)conversation->unread_count, "read_seq", (json_int_t)conversation->read_seq,
				 "last_seq", (json_int_t)conversation->last_seq, "last_rev",
				 (json_int_t)conversation->last_rev, "created_at", created_at, "rev",
				 (json_int_t)conversation->rev, "slow_mode_s", (json_int_t)conversation->slow_mode_s,
				 "role", conversation->role);
	if (conversation->role) {
		clock_format(conversation->muted_until_ms, muted_until);
		json_object_set_new(json, "muted_until",
				    conversation->muted_until_ms ? json_string(muted_until) : json_null());
	}
	return json;
}

void
conversation_show_member(struct conversation *conversation, const struct member *member)
{
	size_t at = 0;

	while (at < conversation->n_members && strcmp(conversation->members[at].user_id, member->user_id) != 0)
		at++;
	if (at == CONVERSATION_MEMBERS_SHOWN)
		at--;
	if (at == conversation->n_members)
		conversation->n_members++;
	conversation->members[at] = *member;
}

enum status
conversation_title_check(const char *title, struct fault *ret_fault)
{
	if (!text_is_blank(title) && text_code_points(title) <= CONVERSATION_TITLE_MAX &&
	    !text_has_control(title, "") && !text_has_invisible(title) && !text_begins_combining(title))
		return OK;
	return fault_set(
		ret_fault, ERR_INVALID, "title_invalid", "title",
		"title must have 1 to 100 characters, not only spaces, none that are invisible, and no combining mark first.");
}
