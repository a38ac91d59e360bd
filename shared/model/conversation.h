/* A conversation and its members as one caller sees them: the OpenAPI schemas Conversation and Member. */
#ifndef MODEL_CONVERSATION_H
#define MODEL_CONVERSATION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"
#include "base/status.h"
#include "model/message.h"

enum {
	CONVERSATION_MEMBERS_SHOWN = 20,          /* members in a list item; member_count has the rest */
	CONVERSATION_CLOSE_MAX = 250,             /* members up to which they see each other type, receive and read */
	CONVERSATION_MEMBERS_MAX = 10000,         /* of a group */
	CONVERSATION_ADDED_MAX = 100,             /* people a request */
	CONVERSATION_TITLE_MAX = 100,             /* code points */
	CONVERSATION_ROLE_SIZE = sizeof "member", /* owner and admin are shorter */
	CONVERSATION_SLOW_MODE_MAX_S = 3600,
	CONVERSATION_UNREAD_SHOWN = 99, /* unread_count counts up to one more than this */
};

struct member {
	char conversation_id[ID_SIZE];
	char user_id[ID_SIZE];
	const char *username;
	const char *display_name;
	const char *role; /* "owner", "admin", "member" */
	int64_t rev;      /* of the conversation's stream */
	int64_t user_rev; /* of the person's stream */
	int64_t joined_at_ms, left_at_ms;
	bool shows_cursors; /* not above CONVERSATION_CLOSE_MAX members: null then */
	int64_t read_seq, delivered_seq;
};

struct conversation {
	char id[ID_SIZE];
	const char *kind;  /* "direct" or "group" */
	const char *title; /* NULL for direct */
	int64_t rev;       /* of the last change of the row itself */
	int64_t last_seq, last_rev;
	int64_t created_at_ms, deleted_at_ms;
	int64_t member_rev, member_user_rev; /* of the caller's own membership */
	int64_t read_seq;                    /* the caller's */
	int64_t muted_until_ms;              /* by the caller; 0: not */
	int64_t unread_count;
	struct member *members;
	size_t n_members, member_count;
	int64_t slow_mode_s;          /* seconds between two messages of a member; 0: none */
	const char *role;             /* the caller's: "owner", "admin", "member"; NULL: nobody's view */
	struct message *last_message; /* NULL: none yet */
};

/* {id, kind, title, members, member_count, last_message, unread_count, read_seq, last_seq, last_rev, created_at, rev, slow_mode_s,
 * role, and muted_until where there is a caller} */
json_t *conversation_to_json(const struct conversation *conversation);

/* {user_id, username, display_name, role, rev, joined_at, left_at, read_seq, delivered_seq} */
json_t *member_to_json(const struct member *member);

/* Has this member among those that are shown, in the place of the last one when there are more. */
void conversation_show_member(struct conversation *conversation, const struct member *member);

/* A group's title: 1 to 100 code points, not blank, nothing invisible. ERR_INVALID, code title_invalid. */
MUST_USE enum status conversation_title_check(const char *title, struct fault *ret_fault);

#endif
