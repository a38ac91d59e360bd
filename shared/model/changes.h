/* Pages and changes: what a list or a pull answers. The OpenAPI schemas MessagePage, Changes, PersonChanges and Sync. */
#ifndef MODEL_CHANGES_H
#define MODEL_CHANGES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/conversation.h"
#include "model/message.h"

struct message_page {
	struct message *items; /* ascending by seq */
	size_t n_items;
	bool has_more_before, has_more_after;
	int64_t last_seq, last_rev;
};

/* The current state of all that changed in a conversation after `after_rev`, up to `next_after_rev`. */
struct changes {
	struct message *messages;
	size_t n_messages;
	struct member *members;
	size_t n_members;
	struct conversation *conversation; /* NULL when the row itself did not change in this page */
	int64_t after_rev, next_after_rev, last_rev;
	bool has_more;
	bool snapshot; /* in a push frame: start here, forget what you hold */
};

/* One membership in the person's stream. */
struct membership {
	char conversation_id[ID_SIZE];
	bool left; /* also when the conversation was deleted */
	char role[CONVERSATION_ROLE_SIZE];
	int64_t user_rev, member_rev;
	int64_t read_seq, delivered_seq;
	int64_t muted_until_ms; /* 0: not muted */
	int64_t head;           /* last_rev of the conversation */
	/* Only conversations_own_membership fills these. */
	int64_t last_seq, member_count;
};

/* That the person blocks somebody, or does so no more. */
struct block {
	char user_id[ID_SIZE];
	bool blocked;
	int64_t user_rev;
};

struct person_changes {
	struct membership *memberships;
	size_t n_memberships;
	struct block *blocks;
	size_t n_blocks;
	/* Log-ins that ended, all of them when the person is disabled or deleted; not in the JSON: push closes their sockets. */
	char (*revoked_session_ids)[ID_SIZE];
	size_t n_revoked_sessions;
	int64_t after_rev, next_after_rev, last_rev;
	bool has_more;
};

/* A conversation of the caller and where it stands. */
struct head {
	char conversation_id[ID_SIZE];
	int64_t last_seq, last_rev, member_rev;
	/* Only conversations_heads fills these. */
	int64_t activity_ms; /* when something was last said, else when it was made */
	int64_t member_count;
};

json_t *message_page_to_json(const struct message_page *page);
/* The body of list_changes. */
json_t *changes_to_json(const struct changes *changes);
/* {conversation_id, member: bool, rev, me, read_seq, last_rev, role, muted_until} */
json_t *membership_to_json(const struct membership *membership);
/* The rows of the person's stream under their keys: memberships, blocks, rejections. */
json_t *person_rows_to_json(const struct person_changes *changes);
/* {memberships, blocks, rejections, next_after_rev, last_rev, has_more} */
json_t *person_changes_to_json(const struct person_changes *changes);
/* {conversation_id, last_seq, last_rev} */
json_t *head_to_json(const struct head *head);

#endif
