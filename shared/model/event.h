/* What goes over the bus: a header line that push reads, and the ready JSON that it forwards unopened.
 *
 * A record is `<epoch> <rev> <kind> <subject user or -> <conversation or -> <member rev>\n<JSON>`. On a conversation's
 * channel (c:<id>) rev counts the conversation's stream and subject is the member concerned; on a person's channel (u:<id>)
 * rev counts the person's stream, and conversation and member rev say which membership it is about (- and 0: none).
 * Rev 0 has no place in a stream: what passes (typing, other people's cursors) is never missed, repaired or waited for, and
 * on a conversation's channel it is not for the subject's own sockets. */
#ifndef MODEL_EVENT_H
#define MODEL_EVENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/id.h"
#include "base/status.h"
#include "model/changes.h"
#include "model/conversation.h"
#include "model/message.h"
#include "model/user.h"

enum {
	EVENT_EPOCH_SIZE = 64,
	EVENT_KIND_SIZE = 32,
	EVENT_CHANNEL_SIZE = ID_SIZE + 2, /* c:<id>, u:<id> or p:<id> */
	EVENT_HEADER_MAX = 256,           /* bytes of the first line */
	EVENT_RECORD_MAX = 128 * 1024,
	EVENT_REV_NONE = 0, /* no place in a stream */
};

struct event {
	char channel[EVENT_CHANNEL_SIZE];
	int64_t rev;
	char kind[EVENT_KIND_SIZE];    /* the JSON's type: message.created, ... */
	char subject_id[ID_SIZE];      /* "": none */
	char conversation_id[ID_SIZE]; /* on a person's channel; "": none */
	int64_t member_rev;
	const char *json; /* {"type": ..., ...}, one object, no newline */
	size_t json_len;
};

/* Events made by the writer; the JSON lives in the arena. `rev` (conversation) or `me` (person) is in the JSON. */
void event_message_created(struct arena *arena, const struct message *message, struct event *ret_event);
void event_message_updated(struct arena *arena, const struct message *message, struct event *ret_event);
void event_message_deleted(struct arena *arena, const struct message *message, struct event *ret_event);
/* All reactions of the message, after one was given or taken back. rev = the message's. */
void event_reaction_updated(struct arena *arena, const struct message *message, struct event *ret_event);
/* One frame per operation: all that joined with this rev. subject is the member when there is one, else "". */
void event_member_joined(struct arena *arena, const char *conversation_id, int64_t rev, const struct member *members,
			 size_t n_members, struct event *ret_event);
/* The same for any kind of event about memberships: member.joined, member.updated, member.left. */
void event_members(struct arena *arena, const char *kind, const char *conversation_id, int64_t rev,
		   const struct member *members, size_t n_members, struct event *ret_event);
/* The row as nobody in particular sees it; rev = its own. */
void event_conversation_updated(struct arena *arena, const struct conversation *conversation, struct event *ret_event);
void event_conversation_deleted(struct arena *arena, const char *conversation_id, int64_t rev, struct event *ret_event);
/* One's own role in a group is another one. member: conversation_id, user_id, rev, user_rev, role. */
void event_conversation_role(struct arena *arena, const struct member *member, struct event *ret_event);
/* "You are out of it": rev = the conversation's revision that says so. */
void event_conversation_removed(struct arena *arena, const char *user_id, int64_t me, const char *conversation_id,
				int64_t rev, struct event *ret_event);
/* "You are in it now", with the list item as this person sees it. me = the person's rev. */
void event_conversation_created(struct arena *arena, const char *user_id, int64_t me,
				const struct conversation *conversation, struct event *ret_event);
/* One's own cursor, moved on another device. member_rev = the membership's. */
void event_read_updated(struct arena *arena, const char *user_id, int64_t me, const struct membership *membership,
			struct event *ret_event);
/* How the person wants to hear of a conversation. */
void event_conversation_settings(struct arena *arena, const char *user_id, const struct membership *membership,
				 struct event *ret_event);
/* me = block->user_rev. */
void event_block_updated(struct arena *arena, const char *user_id, const struct block *block, struct event *ret_event);
void event_session_revoked(struct arena *arena, const char *user_id, int64_t me, const char *session_id,
			   struct event *ret_event); /* subject_id = the session's id */

/* What passes, without a rev. */
void event_typing_started(struct arena *arena, const char *conversation_id, const char *user_id,
			  struct event *ret_event);
/* How far another member has read or been sent, for the conversation's others. */
enum event_cursor { EVENT_CURSOR_READ, EVENT_CURSOR_DELIVERED };
void event_cursor_moved(struct arena *arena, enum event_cursor cursor, const char *user_id,
			const struct membership *membership, struct event *ret_event);

/* Another display name, for those who watch the person (channel p:<id>). */
void event_user_updated(struct arena *arena, const struct user *user, struct event *ret_event);
/* How many of a large conversation's members are online. */
void event_presence_count(struct arena *arena, const char *conversation_id, int64_t online, int64_t member_count,
			  struct event *ret_event);

/* The record's bytes (in the arena) for a bus of this epoch. */
char *event_encode(struct arena *arena, const char *epoch, const struct event *event, size_t *ret_len);

/* Reads a record that came on `channel`. json points into `bytes`. ERR_MALFORMED for anything that event_encode does not
 * write. */
MUST_USE enum status event_decode(const char *channel, const char *bytes, size_t len, char ret_epoch[EVENT_EPOCH_SIZE],
				  struct event *ret_event);

#endif
