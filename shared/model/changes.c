/* Pages and changes as JSON: the bodies of lists, pulls and repairs. */
#include "model/changes.h"

#include "base/clock.h"

static json_t *
messages_to_json(const struct message *messages, size_t n_messages)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n_messages; i++)
		json_array_append_new(array, message_to_json(&messages[i]));
	return array;
}

json_t *
message_page_to_json(const struct message_page *page)
{
	return json_pack("{s:o, s:b, s:b, s:I, s:I}", "items", messages_to_json(page->items, page->n_items),
			 "has_more_before", page->has_more_before, "has_more_after", page->has_more_after, "last_seq",
			 (json_int_t)page->last_seq, "last_rev", (json_int_t)page->last_rev);
}

json_t *
changes_to_json(const struct changes *changes)
{
	json_t *members = json_array();

	for (size_t i = 0; i < changes->n_members; i++)
		json_array_append_new(members, member_to_json(&changes->members[i]));

	json_t *json =
		json_pack("{s:o, s:o, s:o, s:I, s:I, s:b}", "messages",
			  messages_to_json(changes->messages, changes->n_messages), "members", members, "conversation",
			  changes->conversation ? conversation_to_json(changes->conversation) : json_null(),
			  "next_after_rev", (json_int_t)changes->next_after_rev, "last_rev",
			  (json_int_t)changes->last_rev, "has_more", changes->has_more);
	if (changes->snapshot)
		json_object_set_new(json, "snapshot", json_true());
	return json;
}

json_t *
membership_to_json(const struct membership *membership)
{
	char muted_until[CLOCK_TEXT_SIZE];

	clock_format(membership->muted_until_ms, muted_until);
	return json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:s, s:s?}", "conversation_id", membership->conversation_id,
			 "member", !membership->left, "rev", (json_int_t)membership->member_rev, "me",
			 (json_int_t)membership->user_rev, "read_seq", (json_int_t)membership->read_seq, "last_rev",
			 (json_int_t)membership->head, "role", membership->role, "muted_until",
			 membership->muted_until_ms ? muted_until : NULL);
}

json_t *
person_rows_to_json(const struct person_changes *changes)
{
	json_t *memberships = json_array(), *blocks = json_array();

	for (size_t i = 0; i < changes->n_memberships; i++)
		json_array_append_new(memberships, membership_to_json(&changes->memberships[i]));
	for (size_t i = 0; i < changes->n_blocks; i++) {
		const struct block *block = &changes->blocks[i];

		json_array_append_new(blocks, json_pack("{s:s, s:b, s:I}", "user_id", block->user_id, "blocked",
							block->blocked, "me", (json_int_t)block->user_rev));
	}
	return json_pack("{s:o, s:o, s:[]}", "memberships", memberships, "blocks", blocks, "rejections");
}

json_t *
person_changes_to_json(const struct person_changes *changes)
{
	json_t *json = person_rows_to_json(changes);

	json_object_set_new(json, "next_after_rev", json_integer(changes->next_after_rev));
	json_object_set_new(json, "last_rev", json_integer(changes->last_rev));
	json_object_set_new(json, "has_more", json_boolean(changes->has_more));
	return json;
}

json_t *
head_to_json(const struct head *head)
{
	return json_pack("{s:s, s:I, s:I}", "conversation_id", head->conversation_id, "last_seq",
			 (json_int_t)head->last_seq, "last_rev", (json_int_t)head->last_rev);
}
