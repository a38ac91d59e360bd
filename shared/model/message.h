/* A message: the OpenAPI schemas Message, MessageDraft and Reaction, and what can be done to a message that is there. */
#ifndef MODEL_MESSAGE_H
#define MODEL_MESSAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/id.h"
#include "base/status.h"

enum {
	MESSAGE_CODE_POINTS_MAX = 4000,
	MESSAGE_BYTES_MAX = 16 * 1024,
	REACTION_EMOJI_BYTES_MAX = 64,
	REACTION_EMOJI_MAX = 20,      /* different ones on one message */
	REACTION_USER_IDS_SHOWN = 20, /* of those who gave one */
};

/* One emoji on a message: the OpenAPI schema Reaction. */
struct reaction {
	const char *emoji;
	int64_t count;
	char (*user_ids)[ID_SIZE]; /* the first REACTION_USER_IDS_SHOWN, in the order in which they gave it */
	size_t n_user_ids;
};

struct message {
	char id[ID_SIZE];
	char conversation_id[ID_SIZE];
	int64_t seq, rev;
	char sender_id[ID_SIZE];
	char recipient_id[ID_SIZE];  /* "" unless direct */
	const char *content;         /* NULL when deleted */
	char digest[ID_DIGEST_SIZE]; /* over what was first accepted; never shown */
	int64_t timestamp_ms;
	int64_t edited_at_ms, deleted_at_ms; /* 0: not */
	char reply_to_id[ID_SIZE];           /* "": none */
	struct reaction *reactions;          /* the one that was given first, first */
	size_t n_reactions;
};

/* Seqs that follow one another; first > last: none. */
struct message_range {
	int64_t first, last;
};

/* What somebody wants to say. Exactly one of conversation_id and recipient_id is set by the door. */
struct message_draft {
	char id[ID_SIZE];              /* made by the server when the client chose none */
	const char *id_key;            /* where the client chose it: a key or a header (a literal); NULL: nowhere */
	char conversation_id[ID_SIZE]; /* "" : address by recipient_id */
	char recipient_id[ID_SIZE];    /* "" : address by conversation_id */
	char sender_id[ID_SIZE];
	char session_id[ID_SIZE]; /* the sender's, looked at in the transaction that stores it; "": not */
	const char *content;
	char reply_to_id[ID_SIZE]; /* "": none */
	char digest[ID_DIGEST_SIZE];
};

/* What a draft is read from; the keys differ, the rules don't. */
enum message_draft_form {
	MESSAGE_DRAFT_IN_CONVERSATION, /* {content, id?, reply_to_id?}; the path names the conversation */
	MESSAGE_DRAFT_DIRECT,          /* {content, id?, reply_to_id?, recipient_id} */
	MESSAGE_DRAFT_FRAME,           /* {content, message_id?, reply_to_id?, and conversation_id or recipient_id} */
};

/* Reads a draft; what the body doesn't name (the sender, the conversation of a path) stays as it is in *ret_draft. The ids
 * are normalised. ERR_MALFORMED or ERR_INVALID with the field; ERR_NOT_FOUND for a conversation_id that is no UUID, because it
 * names nothing; and *ret_draft untouched. The content is borrowed from `body` and not looked at yet: the pipeline checks it
 * (message_draft_check), whichever the door. */
MUST_USE enum status message_draft_from_json(const json_t *body, enum message_draft_form form, struct arena *arena,
					     struct message_draft *ret_draft, struct fault *ret_fault);

/* The checks of every draft: content, ids (normalised in place; "" for none); makes the id when there is none and fills the
 * digest (over sender, content, reply_to_id). `sender_id` must be set. */
MUST_USE enum status message_draft_check(struct message_draft *draft, struct fault *ret_fault);

enum message_action { MESSAGE_EDIT, MESSAGE_DELETE, MESSAGE_REACT, MESSAGE_UNREACT };

enum { MESSAGE_ANY_REV = 0 };

/* A change of a message that is there. */
struct message_change {
	enum message_action action;
	char conversation_id[ID_SIZE], message_id[ID_SIZE];
	char actor_id[ID_SIZE];
	char session_id[ID_SIZE]; /* the actor's, looked at in the transaction that stores the change; "": not */
	const char *content;      /* MESSAGE_EDIT */
	const char *emoji;        /* MESSAGE_REACT, MESSAGE_UNREACT */
	int64_t if_match_rev;     /* the rev that the message must have; MESSAGE_ANY_REV: whatever it is */
};

/* The checks of every change; the ids are normalised in place, the emoji in `arena`. An id that is no UUID names nothing: ERR_NOT_FOUND with
 * `conversation_not_found` or `message_not_found`. ERR_INVALID for the content (as in a draft) and for an emoji that is not one
 * emoji (`emoji_invalid`). */
MUST_USE enum status message_change_check(struct message_change *change, struct arena *arena, struct fault *ret_fault);

json_t *message_to_json(const struct message *message);

/* The array of `reactions` in a message. */
json_t *reactions_to_json(const struct reaction *reactions, size_t n_reactions);

#endif
