/* Messages: what may be said, how a draft is read, and how a message is shown (everywhere the same way). */
#include "model/message.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "json.h"

static enum status
check_content(const char *content, struct fault *ret_fault)
{
	const char *problem = NULL;
	size_t len = strlen(content);

	if (len == 0)
		problem = "must not be empty";
	else if (len > MESSAGE_BYTES_MAX)
		problem = "is longer than 16 KiB";
	else if (!text_is_utf8(content, len))
		problem = "is not valid UTF-8";
	else if (text_code_points(content) > MESSAGE_CODE_POINTS_MAX)
		problem = "is longer than 4000 characters";
	else if (text_has_control(content, "\n\t"))
		problem = "must not hold control characters other than line feed and tab";
	if (problem)
		return fault_set(ret_fault, ERR_INVALID, "content_invalid", "content", "The content %s.", problem);
	return OK;
}

/* Of a key: absent (NULL) leaves *ret_id alone, and "" is no id. `text` may be `ret_id` itself. */
static enum status
read_id(const char *text, const char *field, char ret_id[ID_SIZE], struct fault *ret_fault)
{
	if (text && !id_normalize(text, ret_id))
		return fault_set(ret_fault, ERR_INVALID, "id_invalid", field,
				 "%s must be a UUID: 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12.", field);
	return OK;
}

/* Of a draft, where "" is none. */
static enum status
check_id(char id[ID_SIZE], const char *field, struct fault *ret_fault)
{
	return read_id(id[0] ? id : NULL, field, id, ret_fault);
}

/* What cannot be an id names nothing, whichever the door. */
static enum status
refuse_conversation(struct fault *ret_fault)
{
	return fault_set(ret_fault, ERR_NOT_FOUND, "conversation_not_found", NULL, "There is no such conversation.");
}

/* A frame says where it goes by one of two keys (NULL: not given). */
static enum status
check_address(const char *conversation_id, const char *recipient_id, struct fault *ret_fault)
{
	if (!conversation_id && !recipient_id)
		return fault_set(
			ret_fault, ERR_MALFORMED, "missing_key", "conversation_id",
			"Say where the message goes: one of the keys \"conversation_id\" and \"recipient_id\" is "
			"required.");
	if (conversation_id && recipient_id)
		return fault_set(ret_fault, ERR_MALFORMED, "one_recipient", "recipient_id",
				 "A message goes to one place: leave out \"conversation_id\" or \"recipient_id\".");
	return OK;
}

enum status
message_draft_from_json(const json_t *body, enum message_draft_form form, struct arena *arena,
			struct message_draft *ret_draft, struct fault *ret_fault)
{
	static const size_t n_fields[] = {
		[MESSAGE_DRAFT_IN_CONVERSATION] = 3,
		[MESSAGE_DRAFT_DIRECT] = 4,
		[MESSAGE_DRAFT_FRAME] = 5,
	};
	struct message_draft draft = *ret_draft;
	const char *id = NULL, *reply_to_id = NULL, *recipient_id = NULL, *conversation_id = NULL;
	const char *id_key = form == MESSAGE_DRAFT_FRAME ? "message_id" : "id"; /* a frame's "id" is the request's */
	const struct json_field fields[] = {
		{"content", JSON_KIND_TEXT, true, &draft.content},
		{id_key, JSON_KIND_TEXT, false, &id},
		{"reply_to_id", JSON_KIND_TEXT, false, &reply_to_id},
		{"recipient_id", JSON_KIND_TEXT, form == MESSAGE_DRAFT_DIRECT, &recipient_id},
		{"conversation_id", JSON_KIND_TEXT, false, &conversation_id},
	};

	TRY(json_decode(body, fields, n_fields[form], arena, ret_fault));
	if (form == MESSAGE_DRAFT_FRAME)
		TRY(check_address(conversation_id, recipient_id, ret_fault));
	if (conversation_id && !id_normalize(conversation_id, draft.conversation_id))
		return refuse_conversation(ret_fault); /* first, as of a path */
	TRY(read_id(id, id_key, draft.id, ret_fault));
	TRY(read_id(reply_to_id, "reply_to_id", draft.reply_to_id, ret_fault));
	TRY(read_id(recipient_id, "recipient_id", draft.recipient_id, ret_fault));
	if (id)
		draft.id_key = id_key;
	*ret_draft = draft;
	return OK;
}

enum status
message_draft_check(struct message_draft *draft, struct fault *ret_fault)
{
	TRY(check_content(draft->content, ret_fault));
	TRY(check_id(draft->id, "id", ret_fault));
	TRY(check_id(draft->conversation_id, "conversation_id", ret_fault));
	TRY(check_id(draft->recipient_id, "recipient_id", ret_fault));
	TRY(check_id(draft->reply_to_id, "reply_to_id", ret_fault));
	if (!draft->id[0])
		id_make(draft->id);

	const char *const parts[] = {draft->sender_id, draft->content,
				     draft->reply_to_id[0] ? draft->reply_to_id : NULL};
	id_digest(parts, sizeof parts / sizeof parts[0], draft->digest);
	return OK;
}

/* The same emoji is one reaction, whichever keyboard typed it. */
static enum status
normalize_emoji(struct message_change *change, struct arena *arena, struct fault *ret_fault)
{
	bool too_long = strlen(change->emoji) > REACTION_EMOJI_BYTES_MAX;
	const char *emoji = too_long ? NULL : text_normalize_emoji(arena, change->emoji);

	if (!emoji || strlen(emoji) > REACTION_EMOJI_BYTES_MAX)
		return fault_set(ret_fault, ERR_INVALID, "emoji_invalid", "emoji", "A reaction is one emoji.");
	change->emoji = emoji;
	return OK;
}

enum status
message_change_check(struct message_change *change, struct arena *arena, struct fault *ret_fault)
{
	if (!id_normalize(change->conversation_id, change->conversation_id))
		return refuse_conversation(ret_fault);
	if (!id_normalize(change->message_id, change->message_id))
		return fault_set(ret_fault, ERR_NOT_FOUND, "message_not_found", NULL, "There is no such message.");
	if (change->action == MESSAGE_EDIT)
		return check_content(change->content, ret_fault);
	if (change->action == MESSAGE_DELETE)
		return OK;
	return normalize_emoji(change, arena, ret_fault);
}

static json_t *
time_or_null(int64_t wall_ms)
{
	char text[CLOCK_TEXT_SIZE];

	if (!wall_ms)
		return json_null();
	clock_format(wall_ms, text);
	return json_string(text);
}

static json_t *
id_or_null(const char *id)
{
	return id[0] ? json_string(id) : json_null();
}

json_t *
reactions_to_json(const struct reaction *reactions, size_t n_reactions)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n_reactions; i++) {
		json_t *user_ids = json_array();

		for (size_t k = 0; k < reactions[i].n_user_ids; k++)
			json_array_append_new(user_ids, json_string(reactions[i].user_ids[k]));
		json_array_append_new(array, json_pack("{s:s, s:I, s:o}", "emoji", reactions[i].emoji, "count",
						       (json_int_t)reactions[i].count, "user_ids", user_ids));
	}
	return array;
}

json_t *
message_to_json(const struct message *message)
{
	const char *content = message->deleted_at_ms ? NULL : message->content;

	return json_pack("{s:s, s:s, s:I, s:I, s:s, s:o, s:s?, s:o, s:o, s:b, s:o, s:o}", "id", message->id,
			 "conversation_id", message->conversation_id, "seq", (json_int_t)message->seq, "rev",
			 (json_int_t)message->rev, "sender_id", message->sender_id, "recipient_id",
			 id_or_null(message->recipient_id), "content", content, "timestamp",
			 time_or_null(message->timestamp_ms), "edited_at", time_or_null(message->edited_at_ms),
			 "deleted", message->deleted_at_ms != 0, "reply_to_id", id_or_null(message->reply_to_id),
			 "reactions", reactions_to_json(message->reactions, message->n_reactions));
}
