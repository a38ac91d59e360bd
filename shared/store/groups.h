/* Groups in the tables conversations and members: what their life writes and looks up, and the pages of their members. */
#ifndef STORE_GROUPS_H
#define STORE_GROUPS_H

#include "db/db.h"
#include "model/conversation.h"

/* A conversation and what one member may do in it, as read after the lock. */
struct group_state {
	bool is_group;
	const char *title;
	int64_t slow_mode_s, member_count;
	int64_t rev;      /* of the row itself: 1 as long as it is as it was made */
	const char *role; /* the member's: "owner", "admin", "member" */
};

/* ERR_NOT_FOUND (conversation_not_found) when not a member, or when it was deleted. */
MUST_USE enum status groups_state(struct db *db, struct arena *arena, const char *conversation_id, const char *user_id,
				  struct group_state *ret_state, struct fault *ret_fault);

struct group_owner {
	char user_id[ID_SIZE];
	bool can_log_in; /* neither disabled nor deleted */
};

/* The owner, for those who need not be members. ERR_NOT_FOUND (conversation_not_found), also when it was deleted; ERR_CONFLICT
 * (not_a_group). */
MUST_USE enum status groups_owner(struct db *db, const char *conversation_id, struct group_owner *ret_owner,
				  struct fault *ret_fault);

/* Who made the conversation of this id, also of a deleted one; *ret_found false: nobody. */
MUST_USE enum status groups_creator(struct db *db, const char *conversation_id, bool *ret_found,
				    char ret_user_id[ID_SIZE]);

/* Inserts an empty group at revision 1. */
MUST_USE enum status groups_insert(struct db *db, const char *conversation_id, const char *title,
				   const char *created_by, int64_t member_count, int64_t now_ms);

/* Advances the conversation's stream by one, as a change of the row itself: its title, slow mode and size become those of
 * `state`, and deleted_at_ms other than 0 ends it. */
MUST_USE enum status groups_advance(struct db *db, const char *conversation_id, const struct group_state *state,
				    int64_t deleted_at_ms, int64_t *ret_rev);

/* The membership of a person, also of one who has left. *ret_found false: there was never one. */
MUST_USE enum status groups_member(struct db *db, struct arena *arena, const char *conversation_id, const char *user_id,
				   bool *ret_found, struct member *ret_member);

/* Makes somebody a member, with all that was said before delivered and read, and nothing muted: `again` when there is a row
 * of a former membership.
 * member: conversation_id, user_id, role, rev, user_rev, joined_at_ms. */
MUST_USE enum status groups_join(struct db *db, const struct member *member, bool again);
MUST_USE enum status groups_set_role(struct db *db, const char *conversation_id, const char *user_id, const char *role,
				     int64_t rev, int64_t user_rev);
/* member: conversation_id, user_id, rev, user_rev, left_at_ms. */
MUST_USE enum status groups_leave(struct db *db, const struct member *member);

/* Members by user_id, after `after_id` ("": from the start), for one of them: nobody else finds any. */
MUST_USE enum status groups_members(struct db *db, struct arena *arena, const char *conversation_id,
				    const char *caller_id, const char *after_id, int64_t limit,
				    struct member **ret_members, size_t *ret_n, bool *ret_more);

/* Who is in it, with the present user_rev: all of them, for a conversation that ends. */
MUST_USE enum status groups_everybody(struct db *db, struct arena *arena, const char *conversation_id,
				      struct member **ret_members, size_t *ret_n);
/* Advances the streams of all members by one, and has their memberships say so. */
MUST_USE enum status groups_tell_everybody(struct db *db, const char *conversation_id);

/* Who would own the group after `user_id`: of those who can log in, else of all, the admin who joined first, else the member.
 * *ret_found false: there is nobody else. */
MUST_USE enum status groups_heir(struct db *db, const char *conversation_id, const char *user_id, bool *ret_found,
				 char ret_heir_id[ID_SIZE]);

/* The person's first group with a greater id. *ret_found false: there is none. */
MUST_USE enum status groups_next_of(struct db *db, const char *user_id, const char *after_id, bool *ret_found,
				    char ret_id[ID_SIZE]);

/* Of those whose account was deleted, the first with a greater id who is still in a group. *ret_found false: there is none. */
MUST_USE enum status groups_next_to_retire(struct db *db, const char *after_id, bool *ret_found,
					   char ret_user_id[ID_SIZE]);

#endif
