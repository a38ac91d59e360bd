/* Bus records: the writer's events, and the header line that push reads in front of their JSON. */
#include "model/event.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "json.h"

enum { HEADER_FIELDS = 6 };

static void
set_channel(struct event *event, char stream, const char *id)
{
	snprintf(event->channel, sizeof event->channel, "%c:%s", stream, id);
}

/* Takes the json. */
static void
set_json(struct event *event, struct arena *arena, const char *kind, json_t *json)
{
	char *text = json_to_text(json, &event->json_len);

	snprintf(event->kind, sizeof event->kind, "%s", kind);
	event->json = arena_memdup(arena, text, event->json_len);
	free(text);
}

static void
set_message(struct event *event, struct arena *arena, const char *kind, const struct message *message)
{
	*event = (struct event){.rev = message->rev};
	set_channel(event, 'c', message->conversation_id);
	set_json(event, arena, kind,
		 json_pack("{s:s, s:s, s:I, s:o}", "type", kind, "conversation_id", message->conversation_id, "rev",
			   (json_int_t)message->rev, "message", message_to_json(message)));
}

void
event_message_created(struct arena *arena, const struct message *message, struct event *ret_event)
{
	set_message(ret_event, arena, "message.created", message);
}

void
event_message_updated(struct arena *arena, const struct message *message, struct event *ret_event)
{
	set_message(ret_event, arena, "message.updated", message);
}

void
event_message_deleted(struct arena *arena, const struct message *message, struct event *ret_event)
{
	set_message(ret_event, arena, "message.deleted", message);
}

void
event_reaction_updated(struct arena *arena, const struct message *message, struct event *ret_event)
{
	*ret_event = (struct event){.rev = message->rev};
	set_channel(ret_event, 'c', message->conversation_id);
	set_json(ret_event, arena, "reaction.updated",
		 json_pack("{s:s, s:s, s:s, s:I, s:I, s:o}", "type", "reaction.updated", "conversation_id",
			   message->conversation_id, "message_id", message->id, "seq", (json_int_t)message->seq, "rev",
			   (json_int_t)message->rev, "reactions",
			   reactions_to_json(message->reactions, message->n_reactions)));
}

void
event_member_joined(struct arena *arena, const char *conversation_id, int64_t rev, const struct member *members,
		    size_t n_members, struct event *ret_event)
{
	event_members(arena, "member.joined", conversation_id, rev, members, n_members, ret_event);
}

void
event_members(struct arena *arena, const char *kind, const char *conversation_id, int64_t rev,
	      const struct member *members, size_t n_members, struct event *ret_event)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n_members; i++)
		json_array_append_new(array, member_to_json(&members[i]));
	*ret_event = (struct event){.rev = rev};
	set_channel(ret_event, 'c', conversation_id);
	if (n_members == 1)
		memcpy(ret_event->subject_id, members[0].user_id, ID_SIZE);
	set_json(ret_event, arena, kind,
		 json_pack("{s:s, s:s, s:I, s:o}", "type", kind, "conversation_id", conversation_id, "rev",
			   (json_int_t)rev, "members", array));
}

void
event_conversation_updated(struct arena *arena, const struct conversation *conversation, struct event *ret_event)
{
	*ret_event = (struct event){.rev = conversation->rev};
	set_channel(ret_event, 'c', conversation->id);
	set_json(ret_event, arena, "conversation.updated",
		 json_pack("{s:s, s:s, s:I, s:o}", "type", "conversation.updated", "conversation_id", conversation->id,
			   "rev", (json_int_t)conversation->rev, "conversation", conversation_to_json(conversation)));
}

void
event_conversation_deleted(struct arena *arena, const char *conversation_id, int64_t rev, struct event *ret_event)
{
	*ret_event = (struct event){.rev = rev};
	set_channel(ret_event, 'c', conversation_id);
	set_json(ret_event, arena, "conversation.deleted",
		 json_pack("{s:s, s:s, s:I}", "type", "conversation.deleted", "conversation_id", conversation_id, "rev",
			   (json_int_t)rev));
}

void
event_conversation_role(struct arena *arena, const struct member *member, struct event *ret_event)
{
	*ret_event = (struct event){.rev = member->user_rev, .member_rev = member->rev};
	set_channel(ret_event, 'u', member->user_id);
	memcpy(ret_event->conversation_id, member->conversation_id, ID_SIZE);
	set_json(ret_event, arena, "conversation.settings",
		 json_pack("{s:s, s:s, s:I, s:s}", "type", "conversation.settings", "conversation_id",
			   member->conversation_id, "me", (json_int_t)member->user_rev, "role", member->role));
}

void
event_conversation_removed(struct arena *arena, const char *user_id, int64_t me, const char *conversation_id,
			   int64_t rev, struct event *ret_event)
{
	*ret_event = (struct event){.rev = me, .member_rev = rev};
	set_channel(ret_event, 'u', user_id);
	memcpy(ret_event->conversation_id, conversation_id, ID_SIZE);
	set_json(ret_event, arena, "conversation.removed",
		 json_pack("{s:s, s:s, s:I, s:I}", "type", "conversation.removed", "conversation_id", conversation_id,
			   "me", (json_int_t)me, "rev", (json_int_t)rev));
}

void
event_conversation_created(struct arena *arena, const char *user_id, int64_t me,
			   const struct conversation *conversation, struct event *ret_event)
{
	*ret_event = (struct event){.rev = me, .member_rev = conversation->member_rev};
	set_channel(ret_event, 'u', user_id);
	memcpy(ret_event->conversation_id, conversation->id, ID_SIZE);
	set_json(ret_event, arena, "conversation.created",
		 json_pack("{s:s, s:s, s:I, s:o}", "type", "conversation.created", "conversation_id", conversation->id,
			   "me", (json_int_t)me, "conversation", conversation_to_json(conversation)));
}

void
event_read_updated(struct arena *arena, const char *user_id, int64_t me, const struct membership *membership,
		   struct event *ret_event)
{
	*ret_event = (struct event){.rev = me, .member_rev = membership->member_rev};
	set_channel(ret_event, 'u', user_id);
	memcpy(ret_event->conversation_id, membership->conversation_id, ID_SIZE);
	set_json(ret_event, arena, "read.updated",
		 json_pack("{s:s, s:I, s:s, s:s, s:I}", "type", "read.updated", "me", (json_int_t)me, "conversation_id",
			   membership->conversation_id, "user_id", user_id, "seq", (json_int_t)membership->read_seq));
}

void
event_conversation_settings(struct arena *arena, const char *user_id, const struct membership *membership,
			    struct event *ret_event)
{
	char muted_until[CLOCK_TEXT_SIZE];

	*ret_event = (struct event){.rev = membership->user_rev, .member_rev = membership->member_rev};
	set_channel(ret_event, 'u', user_id);
	memcpy(ret_event->conversation_id, membership->conversation_id, ID_SIZE);
	clock_format(membership->muted_until_ms, muted_until);
	set_json(ret_event, arena, "conversation.settings",
		 json_pack("{s:s, s:I, s:s, s:s?}", "type", "conversation.settings", "me",
			   (json_int_t)membership->user_rev, "conversation_id", membership->conversation_id,
			   "muted_until", membership->muted_until_ms ? muted_until : NULL));
}

void
event_block_updated(struct arena *arena, const char *user_id, const struct block *block, struct event *ret_event)
{
	*ret_event = (struct event){.rev = block->user_rev};
	set_channel(ret_event, 'u', user_id);
	set_json(ret_event, arena, "block.updated",
		 json_pack("{s:s, s:I, s:s, s:b}", "type", "block.updated", "me", (json_int_t)block->user_rev,
			   "user_id", block->user_id, "blocked", block->blocked));
}

void
event_session_revoked(struct arena *arena, const char *user_id, int64_t me, const char *session_id,
		      struct event *ret_event)
{
	*ret_event = (struct event){.rev = me};
	set_channel(ret_event, 'u', user_id);
	snprintf(ret_event->subject_id, sizeof ret_event->subject_id, "%s", session_id);
	set_json(ret_event, arena, "session.revoked",
		 json_pack("{s:s, s:I, s:s}", "type", "session.revoked", "me", (json_int_t)me, "session_id",
			   session_id));
}

/* Without a rev, on the conversation's channel; subject is the member it is about. */
static void
set_passing(struct event *event, const char *conversation_id, const char *user_id)
{
	*event = (struct event){.rev = EVENT_REV_NONE};
	set_channel(event, 'c', conversation_id);
	memcpy(event->subject_id, user_id, ID_SIZE);
}

void
event_typing_started(struct arena *arena, const char *conversation_id, const char *user_id, struct event *ret_event)
{
	set_passing(ret_event, conversation_id, user_id);
	set_json(ret_event, arena, "typing.started",
		 json_pack("{s:s, s:s, s:s}", "type", "typing.started", "conversation_id", conversation_id, "user_id",
			   user_id));
}

void
event_cursor_moved(struct arena *arena, enum event_cursor cursor, const char *user_id,
		   const struct membership *membership, struct event *ret_event)
{
	bool read = cursor == EVENT_CURSOR_READ;
	const char *kind = read ? "read.updated" : "delivered.updated";

	set_passing(ret_event, membership->conversation_id, user_id);
	set_json(ret_event, arena, kind,
		 json_pack("{s:s, s:s, s:s, s:I}", "type", kind, "conversation_id", membership->conversation_id,
			   "user_id", user_id, "seq",
			   (json_int_t)(read ? membership->read_seq : membership->delivered_seq)));
}

void
event_user_updated(struct arena *arena, const struct user *user, struct event *ret_event)
{
	*ret_event = (struct event){.rev = EVENT_REV_NONE};
	set_channel(ret_event, 'p', user->id);
	set_json(ret_event, arena, "user.updated",
		 json_pack("{s:s, s:o}", "type", "user.updated", "user", user_to_json(user)));
}

void
event_presence_count(struct arena *arena, const char *conversation_id, int64_t online, int64_t member_count,
		     struct event *ret_event)
{
	*ret_event = (struct event){.rev = EVENT_REV_NONE};
	set_channel(ret_event, 'c', conversation_id);
	set_json(ret_event, arena, "presence.count",
		 json_pack("{s:s, s:s, s:I, s:I}", "type", "presence.count", "conversation_id", conversation_id,
			   "online", (json_int_t)online, "member_count", (json_int_t)member_count));
}

char *
event_encode(struct arena *arena, const char *epoch, const struct event *event, size_t *ret_len)
{
	char header[EVENT_HEADER_MAX];
	int header_len = snprintf(header, sizeof header, "%s %" PRId64 " %s %s %s %" PRId64 "\n", epoch, event->rev,
				  event->kind, event->subject_id[0] ? event->subject_id : "-",
				  event->conversation_id[0] ? event->conversation_id : "-", event->member_rev);
	assert(header_len > 0 && (size_t)header_len < sizeof header);

	size_t len = (size_t)header_len + event->json_len;
	char *record = arena_alloc(arena, len + 1);

	memcpy(record, header, (size_t)header_len);
	memcpy(record + header_len, event->json, event->json_len);
	*ret_len = len;
	return record;
}

/* Only what id_make and id_normalize write: lower case. */
static bool
is_canonical_id(const char *text)
{
	char id[ID_SIZE];

	return id_normalize(text, id) && strcmp(id, text) == 0;
}

static bool
is_channel(const char *channel)
{
	return (channel[0] == 'c' || channel[0] == 'u' || channel[0] == 'p') && channel[1] == ':' &&
	       is_canonical_id(channel + 2);
}

/* An id, or "-" which becomes "". */
static bool
read_id(const char *text, char ret_id[ID_SIZE])
{
	bool none = strcmp(text, "-") == 0;

	if (!none && !is_canonical_id(text))
		return false;
	memset(ret_id, 0, ID_SIZE);
	if (!none)
		memcpy(ret_id, text, ID_LEN);
	return true;
}

static bool
read_number(const char *text, int64_t *ret_number)
{
	long long number;

	if (!text_to_int64(text, &number) || (text[0] == '0' && text[1]))
		return false;
	*ret_number = number;
	return true;
}

/* A word of printable ASCII that fits. */
static bool
read_word(const char *text, char *ret_word, size_t size)
{
	size_t len = strlen(text);

	if (len == 0 || len >= size)
		return false;
	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	memcpy(ret_word, text, len + 1);
	return true;
}

/* Splits the line in place at single spaces; false unless there are exactly HEADER_FIELDS. */
static bool
split_header(char *line, char *ret_fields[HEADER_FIELDS])
{
	size_t n = 1;

	ret_fields[0] = line;
	for (char *c = line; *c; c++) {
		if (*c != ' ')
			continue;
		if (n == HEADER_FIELDS)
			return false;
		*c = '\0';
		ret_fields[n++] = c + 1;
	}
	return n == HEADER_FIELDS;
}

static bool
read_header(char *line, char ret_epoch[EVENT_EPOCH_SIZE], struct event *ret_event)
{
	char *fields[HEADER_FIELDS];

	return split_header(line, fields) && read_word(fields[0], ret_epoch, EVENT_EPOCH_SIZE) &&
	       read_number(fields[1], &ret_event->rev) &&
	       read_word(fields[2], ret_event->kind, sizeof ret_event->kind) &&
	       read_id(fields[3], ret_event->subject_id) && read_id(fields[4], ret_event->conversation_id) &&
	       read_number(fields[5], &ret_event->member_rev);
}

enum status
event_decode(const char *channel, const char *bytes, size_t len, char ret_epoch[EVENT_EPOCH_SIZE],
	     struct event *ret_event)
{
	struct event event = {0};
	char epoch[EVENT_EPOCH_SIZE], line[EVENT_HEADER_MAX];
	const char *newline = len <= EVENT_RECORD_MAX ? memchr(bytes, '\n', len) : NULL;

	if (!newline || (size_t)(newline - bytes) >= sizeof line || !is_channel(channel))
		return ERR_MALFORMED;

	size_t line_len = (size_t)(newline - bytes);
	memcpy(line, bytes, line_len);
	line[line_len] = '\0';
	if (strlen(line) != line_len || !read_header(line, epoch, &event))
		return ERR_MALFORMED;

	event.json = newline + 1;
	event.json_len = len - line_len - 1;
	if (event.json_len < 2 || event.json[0] != '{' || event.json[event.json_len - 1] != '}' ||
	    memchr(event.json, '\n', event.json_len))
		return ERR_MALFORMED;
	if (channel[0] == 'c' && (event.conversation_id[0] || event.member_rev))
		return ERR_MALFORMED;

	memcpy(event.channel, channel, EVENT_CHANNEL_SIZE);
	memcpy(ret_epoch, epoch, EVENT_EPOCH_SIZE);
	*ret_event = event;
	return OK;
}
