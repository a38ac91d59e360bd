/* Tables conversations and members, as one caller sees them. Every query is scoped by membership in SQL. */
#ifndef STORE_CONVERSATIONS_H
#define STORE_CONVERSATIONS_H

#include "db/db.h"
#include "model/changes.h"
#include "model/conversation.h"

/* With members, last message and unread count. ERR_NOT_FOUND (code `conversation_not_found`) also when not a member. */
MUST_USE enum status conversations_get(struct db *db, struct arena *arena, const char *conversation_id,
				       const char *user_id, struct conversation *ret_conversation,
				       struct fault *ret_fault);

/* The row as nobody in particular (member_rev, read_seq and unread_count are 0), also of a deleted one: for the hub, which
 * checks membership itself. ERR_NOT_FOUND. */
MUST_USE enum status conversations_get_row(struct db *db, struct arena *arena, const char *conversation_id,
					   struct conversation *ret_conversation);

/* A page of a person's conversations, newest activity first. The order key is (activity in ms, id), descending: the last one
 * seen (before_ms = INT64_MAX, before_id = "" to start). */
struct conversations_wish {
	const char *user_id;
	int64_t before_ms;
	const char *before_id;
	int64_t limit;
};
MUST_USE enum status conversations_list(struct db *db, struct arena *arena, const struct conversations_wish *wish,
					struct conversation **ret_items, size_t *ret_n, bool *ret_more);
/* The order key of an item that conversations_list returned. */
int64_t conversations_activity_ms(const struct conversation *conversation);

/* The one statement of hello and the start of every history request: the person's head and, for each conversation they are
 * in, its head and member.rev. ERR_NOT_FOUND when there is no such person. */
MUST_USE enum status conversations_heads(struct db *db, struct arena *arena, const char *user_id, int64_t *ret_me,
					 struct head **ret_heads, size_t *ret_n);

/* last_seq, last_rev and member.rev for one member. ERR_NOT_FOUND when not a member. */
MUST_USE enum status conversations_head(struct db *db, const char *conversation_id, const char *user_id,
					struct head *ret_head, struct fault *ret_fault);

/* The last_rev of a conversation that the person is or was in. ERR_NOT_FOUND (no fault) for everybody else: what is not theirs
 * tells them nothing. */
MUST_USE enum status conversations_former_head(struct db *db, const char *conversation_id, const char *user_id,
					       int64_t *ret_last_rev);

/* Streams (conversations and people) whose change_no >= position, with their heads: `c:<id>` or `u:<id>`. */
struct stream_head {
	char channel[ID_SIZE + 2];
	int64_t last_rev;
	int64_t member_count; /* of a conversation */
};
MUST_USE enum status conversations_changed(struct db *db, struct arena *arena, int64_t position,
					   struct stream_head **ret_heads, size_t *ret_n);
/* Heads of the named streams (n channels); one that does not exist is left out. */
MUST_USE enum status conversations_heads_of(struct db *db, struct arena *arena, const char *const *channels,
					    size_t n_channels, struct stream_head **ret_heads, size_t *ret_n);

/* One membership as a row of the person's stream, with what stands in the conversation. ERR_NOT_FOUND (conversation_not_found) when not a member. */
MUST_USE enum status conversations_own_membership(struct db *db, const char *conversation_id, const char *user_id,
						  struct membership *ret_membership, struct fault *ret_fault);
/* Moves both cursors to where the membership says, as the change user_rev of the person's stream; of the delivered one alone no
 * stream tells. */
MUST_USE enum status conversations_set_read(struct db *db, const char *user_id, const struct membership *membership);
/* Until when it is muted, likewise. */
MUST_USE enum status conversations_set_muted(struct db *db, const char *user_id, const struct membership *membership);
MUST_USE enum status conversations_set_delivered(struct db *db, const char *user_id,
						 const struct membership *membership);

/* What a writer looks up after locking: kind, state and the sender's membership. ERR_NOT_FOUND when there is no such
 * conversation for this person. For a direct one *ret_other_id is the other member's id (the person's own for notes to
 * self); "" for a group. */
MUST_USE enum status conversations_membership(struct db *db, const char *conversation_id, const char *user_id,
					      char ret_other_id[ID_SIZE], struct fault *ret_fault);

/* The same of whoever sends, with what slow mode asks. */
struct conversation_sender {
	char other_id[ID_SIZE];
	int64_t slow_mode_ms; /* between two messages of this person; 0: not limited, as owners and admins are not */
	int64_t last_sent_ms; /* 0: never since slow mode was on */
};
MUST_USE enum status conversations_sender(struct db *db, const char *conversation_id, const char *user_id,
					  struct conversation_sender *ret_sender, struct fault *ret_fault);
/* Notes that the member has said something. */
MUST_USE enum status conversations_set_last_sent(struct db *db, const char *conversation_id, const char *user_id,
						 int64_t now_ms);

/* Makes the direct conversation of two existing people with both as members (revs advanced in all three streams) unless it
 * is there. *ret_created tells. ERR_NOT_FOUND, and nothing changed, when one of them does not exist or was deleted. */
MUST_USE enum status conversations_ensure_direct(struct db *db, const char *conversation_id, const char *user_id,
						 const char *other_user_id, int64_t now_ms, bool *ret_created);

/* Advances last_seq by n_seq and last_rev by n_rev; returns the new values. */
MUST_USE enum status conversations_advance(struct db *db, const char *conversation_id, int64_t n_seq, int64_t n_rev,
					   int64_t *ret_last_seq, int64_t *ret_last_rev);

#endif
