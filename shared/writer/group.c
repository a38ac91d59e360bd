/* The life of a group: made, changed, ended; people added and removed, roles and ownership. Everything here is decided after
 * the conversation's row has been locked, so that whoever comes second finds what the first one did.
 *
 * A group has one owner, always: the owner hands over or deletes, and cannot leave before. What is so already changes nothing;
 * who may ask for it at all is asked first. */
#include <stdio.h>
#include <string.h>

#include "store/blocks.h"
#include "store/conversations.h"
#include "store/groups.h"
#include "store/users.h"
#include "writer/batch.h"

static bool
is_role(const char *role, const char *name)
{
	return strcmp(role, name) == 0;
}

static bool
is_admin(const char *role)
{
	return !is_role(role, "member");
}

static void
keep_member(struct write_group *write, const struct member *member)
{
	write->members[write->n_members++] = *member;
}

void
group_announce_members(struct batch *batch, const struct write_group *write, const char *kind, int64_t rev)
{
	struct event event;

	event_members(&batch->arena, kind, write->op.conversation_id, rev, write->members, write->n_members, &event);
	batch_announce(batch, &event);
}

/* Everybody who is new learns it in their own stream, with the item as they see it. It is read once, since a group may have ten
 * thousand: whoever joins, the first time or again, has read all and muted nothing, so it differs by the membership alone. */
static enum status
announce_created(struct batch *batch, const struct write_group *write)
{
	struct conversation item;
	struct fault fault = {0};
	struct event event;

	for (size_t i = 0; i < write->n_members; i++) {
		const struct member *member = &write->members[i];

		if (i == 0)
			TRY(conversations_get(batch->db, &batch->arena, write->op.conversation_id, member->user_id,
					      &item, &fault));
		item.role = member->role;
		item.member_rev = member->rev;
		item.member_user_rev = member->user_rev;
		conversation_show_member(&item, member);
		event_conversation_created(&batch->arena, member->user_id, member->user_rev, &item, &event);
		batch_announce(batch, &event);
	}
	return OK;
}

/* One more membership, with the row read back as it is shown. */
static enum status
join(struct batch *batch, struct write_group *write, const char *user_id, const char *role, int64_t rev)
{
	struct member member;
	bool again, found;

	TRY(groups_member(batch->db, &write->op.arena, write->op.conversation_id, user_id, &again, &member));
	member = (struct member){.role = role, .rev = rev, .joined_at_ms = batch->now_ms};
	memcpy(member.conversation_id, write->op.conversation_id, ID_SIZE);
	memcpy(member.user_id, user_id, ID_SIZE);
	TRY(users_advance(batch->db, user_id, &member.user_rev));
	TRY(groups_join(batch->db, &member, again));
	TRY(groups_member(batch->db, &write->op.arena, write->op.conversation_id, user_id, &found, &member));
	keep_member(write, &member);
	return OK;
}

/* Refused when one of them is nobody, or nobody any more, or takes nothing from the actor: the three are told alike. */
static enum status
check_people(struct batch *batch, struct write_group *write)
{
	for (size_t i = 0; i < write->n_user_ids; i++) {
		bool active, blocked;
		char detail[FAULT_DETAIL_SIZE];

		TRY(direct_find_person(batch, write->user_ids[i], &active));
		TRY(blocks_has(batch->db, write->user_ids[i], write->actor_id, &blocked));
		if (active && !blocked)
			continue;
		snprintf(detail, sizeof detail, "%s is nobody, or cannot be added by you: leave them out.",
			 write->user_ids[i]);
		return batch_refuse(&write->op, ERR_INVALID, "user_unavailable", "user_ids", detail);
	}
	return OK;
}

/* Whether a group that nobody has changed yet was made from other wishes. */
static bool
was_made_otherwise(const struct write_group *write, const struct group_state *state)
{
	return state->rev == 1 &&
	       (strcmp(state->title, write->title) != 0 || state->member_count != (int64_t)write->n_user_ids + 1);
}

/* The same id is the same group for ever, whatever it is called and whoever is in it by now; those it was made with have
 * been in it. */
static enum status
replay(struct batch *batch, struct write_group *write, const char *creator_id)
{
	struct group_state state;
	struct fault fault = {0};
	enum status status =
		groups_state(batch->db, &write->op.arena, write->op.conversation_id, write->actor_id, &state, &fault);

	if (status != OK && !batch_is_refusal(status, &fault))
		return status;
	bool same = status == OK && state.is_group && strcmp(creator_id, write->actor_id) == 0 &&
		    !was_made_otherwise(write, &state);
	for (size_t i = 0; same && i < write->n_user_ids; i++) {
		struct member member;

		TRY(groups_member(batch->db, &write->op.arena, write->op.conversation_id, write->user_ids[i], &same,
				  &member));
	}
	write->unchanged = true;
	return same ? OK
		    : batch_refuse(&write->op, ERR_CONFLICT, "id_reused", "id",
				   "This id is another conversation: choose a new one.");
}

static enum status
create(struct batch *batch, struct write_group *write)
{
	char creator_id[ID_SIZE];
	bool found;

	TRY(groups_creator(batch->db, write->op.conversation_id, &found, creator_id));
	if (found)
		return replay(batch, write, creator_id);
	TRY(check_people(batch, write));
	if (write->op.status != OK)
		return OK;
	TRY(groups_insert(batch->db, write->op.conversation_id, write->title, write->actor_id,
			  (int64_t)write->n_user_ids + 1, batch->now_ms));
	TRY(join(batch, write, write->actor_id, "owner", 1));
	for (size_t i = 0; i < write->n_user_ids; i++)
		TRY(join(batch, write, write->user_ids[i], "member", 1));
	group_announce_members(batch, write, "member.joined", 1);
	return announce_created(batch, write);
}

static enum status
update(struct batch *batch, struct write_group *write, struct group_state *state)
{
	struct conversation row;
	struct event event;
	int64_t rev;

	if (!is_admin(state->role))
		return batch_refuse(&write->op, ERR_FORBIDDEN, "role_too_low", NULL,
				    "Only the owner and admins of the group may change it.");
	bool same_title = !write->title || (state->title && strcmp(write->title, state->title) == 0);
	bool same_mode = write->slow_mode_s == GROUP_SLOW_MODE_KEPT || write->slow_mode_s == state->slow_mode_s;
	write->unchanged = same_title && same_mode;
	if (write->unchanged)
		return OK;
	if (write->title)
		state->title = write->title;
	if (write->slow_mode_s != GROUP_SLOW_MODE_KEPT)
		state->slow_mode_s = write->slow_mode_s;
	TRY(groups_advance(batch->db, write->op.conversation_id, state, 0, &rev));
	TRY(conversations_get_row(batch->db, &batch->arena, write->op.conversation_id, &row));
	event_conversation_updated(&batch->arena, &row, &event);
	batch_announce(batch, &event);
	return OK;
}

static enum status
end(struct batch *batch, struct write_group *write, const struct group_state *state)
{
	struct member *members;
	struct event event;
	size_t n;
	int64_t rev;

	if (!is_role(state->role, "owner"))
		return batch_refuse(&write->op, ERR_FORBIDDEN, "role_too_low", NULL,
				    "Only the owner of the group may delete it.");
	TRY(groups_advance(batch->db, write->op.conversation_id, state, batch->now_ms, &rev));
	TRY(groups_tell_everybody(batch->db, write->op.conversation_id));
	TRY(groups_everybody(batch->db, &batch->arena, write->op.conversation_id, &members, &n));
	event_conversation_deleted(&batch->arena, write->op.conversation_id, rev, &event);
	batch_announce(batch, &event);
	for (size_t i = 0; i < n; i++) {
		event_conversation_removed(&batch->arena, members[i].user_id, members[i].user_rev,
					   write->op.conversation_id, rev, &event);
		batch_announce(batch, &event);
	}
	return OK;
}

/* Those of write->user_ids who are not in it: their indices. */
static enum status
find_new(struct batch *batch, const struct write_group *write, size_t *ret_indices, size_t *ret_n)
{
	*ret_n = 0;
	for (size_t i = 0; i < write->n_user_ids; i++) {
		struct member member;
		bool found;

		TRY(groups_member(batch->db, &batch->arena, write->op.conversation_id, write->user_ids[i], &found,
				  &member));
		if (!found || member.left_at_ms)
			ret_indices[(*ret_n)++] = i;
	}
	return OK;
}

static enum status
add(struct batch *batch, struct write_group *write, struct group_state *state)
{
	size_t indices[CONVERSATION_ADDED_MAX], n;
	int64_t rev;

	if (!is_admin(state->role))
		return batch_refuse(&write->op, ERR_FORBIDDEN, "role_too_low", NULL,
				    "Only the owner and admins of the group may add people.");
	TRY(check_people(batch, write));
	if (write->op.status != OK)
		return OK;
	TRY(find_new(batch, write, indices, &n));
	write->unchanged = n == 0;
	if (write->unchanged)
		return OK;
	state->member_count += (int64_t)n;
	if (state->member_count > CONVERSATION_MEMBERS_MAX)
		return batch_refuse(&write->op, ERR_CONFLICT, "conversation_full", NULL,
				    "A group has at most 10,000 members: remove somebody first, or add fewer.");
	TRY(groups_advance(batch->db, write->op.conversation_id, state, 0, &rev));
	for (size_t i = 0; i < n; i++)
		TRY(join(batch, write, write->user_ids[indices[i]], "member", rev));
	group_announce_members(batch, write, "member.joined", rev);
	return announce_created(batch, write);
}

/* The member the operation is about; else it is refused. */
static enum status
find_target(struct batch *batch, struct write_group *write, struct member *ret_member)
{
	bool found;

	TRY(groups_member(batch->db, &write->op.arena, write->op.conversation_id, write->user_ids[0], &found,
			  ret_member));
	if (found && (!ret_member->left_at_ms || write->action == GROUP_REMOVE))
		return OK;
	return batch_refuse(&write->op, ERR_NOT_FOUND, "member_not_found", NULL,
			    "This person is not a member of the conversation.");
}

enum status
group_change_role(struct batch *batch, struct write_group *write, const char *user_id, const char *role, int64_t rev)
{
	struct member member;
	struct event event;
	int64_t user_rev;
	bool found;

	TRY(users_advance(batch->db, user_id, &user_rev));
	TRY(groups_set_role(batch->db, write->op.conversation_id, user_id, role, rev, user_rev));
	TRY(groups_member(batch->db, &write->op.arena, write->op.conversation_id, user_id, &found, &member));
	keep_member(write, &member);
	event_conversation_role(&batch->arena, &member, &event);
	batch_announce(batch, &event);
	return OK;
}

static enum status
set_role(struct batch *batch, struct write_group *write, const struct group_state *state)
{
	struct member target;
	bool active = true;
	int64_t rev, seq;

	if (!is_role(state->role, "owner"))
		return batch_refuse(&write->op, ERR_FORBIDDEN, "role_too_low", NULL,
				    "Only the owner of the group gives roles.");
	TRY(find_target(batch, write, &target));
	if (write->op.status != OK)
		return OK;
	write->unchanged = is_role(target.role, write->role);
	if (write->unchanged) {
		keep_member(write, &target);
		return OK;
	}
	if (is_role(target.role, "owner"))
		return batch_refuse(&write->op, ERR_CONFLICT, "last_owner", "role",
				    "A group has an owner: hand it over by giving another member the role owner.");
	if (is_role(write->role, "owner"))
		TRY(direct_find_person(batch, target.user_id, &active));
	if (!active)
		return batch_refuse(&write->op, ERR_INVALID, "user_unavailable", "role",
				    "This person's account has ended: somebody else must become the owner.");
	TRY(conversations_advance(batch->db, write->op.conversation_id, 0, 1, &seq, &rev));
	TRY(group_change_role(batch, write, target.user_id, write->role, rev));
	if (is_role(write->role, "owner"))
		TRY(group_change_role(batch, write, write->actor_id, "admin", rev));
	group_announce_members(batch, write, "member.updated", rev);
	return OK;
}

/* Oneself, or whoever ranks below. */
static enum status
check_removal(struct write_group *write, const struct group_state *state, const struct member *target)
{
	bool is_self = strcmp(target->user_id, write->actor_id) == 0;

	if (is_self && is_role(state->role, "owner"))
		return batch_refuse(&write->op, ERR_CONFLICT, "last_owner", NULL,
				    "A group has an owner: hand it over, or delete the group, before you leave.");
	if (is_self || is_role(state->role, "owner") ||
	    (is_role(state->role, "admin") && (is_role(target->role, "member") || target->left_at_ms)))
		return OK;
	return batch_refuse(&write->op, ERR_FORBIDDEN, "role_too_low", NULL,
			    "The owner removes everybody, admins remove members, and members only themselves.");
}

/* The membership ends, as one more revision of both streams. */
static enum status
leave(struct batch *batch, struct write_group *write, struct group_state *state, struct member *target)
{
	struct event event;

	write->n_members = 0; /* what stands there has been announced */
	state->member_count--;
	TRY(groups_advance(batch->db, write->op.conversation_id, state, 0, &target->rev));
	TRY(users_advance(batch->db, target->user_id, &target->user_rev));
	target->left_at_ms = batch->now_ms;
	TRY(groups_leave(batch->db, target));
	keep_member(write, target);
	group_announce_members(batch, write, "member.left", target->rev);
	event_conversation_removed(&batch->arena, target->user_id, target->user_rev, write->op.conversation_id,
				   target->rev, &event);
	batch_announce(batch, &event);
	return OK;
}

/* Somebody whose account has ended leaves. Their successor is made before, so that the group has one owner at each revision. */
static enum status
retire(struct batch *batch, struct write_group *write, struct group_state *state)
{
	char heir_id[ID_SIZE];
	struct member target;
	int64_t rev, seq;
	bool found;

	TRY(find_target(batch, write, &target));
	if (write->op.status != OK)
		return OK;
	if (is_role(state->role, "owner")) {
		TRY(groups_heir(batch->db, write->op.conversation_id, target.user_id, &found, heir_id));
		if (strcmp(found ? heir_id : "", write->heir_id) != 0)
			return ERR_CONFLICT; /* another one than has been locked: again */
		if (!found)
			return end(batch, write, state);
		TRY(conversations_advance(batch->db, write->op.conversation_id, 0, 1, &seq, &rev));
		TRY(group_change_role(batch, write, heir_id, "owner", rev));
		TRY(group_change_role(batch, write, target.user_id, "member", rev));
		group_announce_members(batch, write, "member.updated", rev);
		target = write->members[1];
	}
	return leave(batch, write, state, &target);
}

static enum status
take_out(struct batch *batch, struct write_group *write, struct group_state *state)
{
	struct member target;

	if (!is_admin(state->role) && strcmp(write->user_ids[0], write->actor_id) != 0)
		return batch_refuse(&write->op, ERR_FORBIDDEN, "role_too_low", NULL,
				    "The owner removes everybody, admins remove members, and members only themselves.");
	TRY(find_target(batch, write, &target));
	if (write->op.status == OK)
		TRY(check_removal(write, state, &target));
	if (write->op.status != OK)
		return OK;
	write->unchanged = target.left_at_ms != 0;
	return write->unchanged ? OK : leave(batch, write, state, &target);
}

enum status
group_run(struct batch *batch, struct write_op *op)
{
	struct write_group *write = (struct write_group *)op; /* op is its first member */
	struct group_state state;
	struct fault fault = {0};

	write->unchanged = false;
	write->n_members = 0;
	write->members = arena_alloc(&op->arena, (write->n_user_ids + 2) * sizeof *write->members);
	if (write->action == GROUP_HAND_OVER)
		return hand_over_run(batch, write);
	TRY(batch_check_session(batch, op, write->session_id, write->actor_id));
	if (op->status != OK)
		return OK;
	if (write->action == GROUP_CREATE)
		return create(batch, write);

	enum status status = groups_state(batch->db, &op->arena, op->conversation_id, write->actor_id, &state, &fault);
	if (batch_is_refusal(status, &fault))
		return batch_refuse_with(op, &fault);
	TRY(status);
	if (!state.is_group)
		return batch_refuse(op, ERR_CONFLICT, "not_a_group", NULL,
				    "A direct conversation is of its two people for ever: make a group.");
	switch (write->action) {
	case GROUP_UPDATE:
		return update(batch, write, &state);
	case GROUP_DELETE:
		return end(batch, write, &state);
	case GROUP_ADD:
		return add(batch, write, &state);
	case GROUP_SET_ROLE:
		return set_role(batch, write, &state);
	case GROUP_REMOVE:
		return take_out(batch, write, &state);
	case GROUP_RETIRE:
		return retire(batch, write, &state);
	case GROUP_CREATE:
	case GROUP_HAND_OVER:
		break;
	}
	return ERR_INTERNAL;
}

static enum status
add_everybody(struct batch *batch, const struct write_group *write, struct batch_users *users)
{
	struct member *members;
	size_t n;

	TRY(groups_everybody(batch->db, &batch->arena, write->op.conversation_id, &members, &n));
	for (size_t i = 0; i < n; i++)
		batch_users_add(batch, users, members[i].user_id);
	return OK;
}

/* Who would follow an owner that retires; without anybody the group ends. */
static enum status
add_heir(struct batch *batch, struct write_group *write, struct batch_users *users)
{
	bool found;

	TRY(groups_heir(batch->db, write->op.conversation_id, write->actor_id, &found, write->heir_id));
	if (!found) {
		write->heir_id[0] = '\0';
		return add_everybody(batch, write, users);
	}
	batch_users_add(batch, users, write->heir_id);
	return OK;
}

enum status
group_find_users(struct batch *batch, struct write_op *op, struct batch_users *users)
{
	struct write_group *write = (struct write_group *)op;

	if (write->action == GROUP_HAND_OVER)
		TRY(hand_over_find_owner(batch, write));
	if (write->by.session_id && write->by.session_id[0])
		batch_users_add(batch, users,
				write->by.name); /* nobody takes the role from them before they are done */
	if (write->action == GROUP_HAND_OVER || write->action == GROUP_CREATE || write->action == GROUP_SET_ROLE)
		batch_users_add(batch, users, write->actor_id);
	for (size_t i = 0; i < write->n_user_ids; i++)
		batch_users_add(batch, users, write->user_ids[i]);
	if (write->action == GROUP_RETIRE)
		return add_heir(batch, write, users);
	return write->action == GROUP_DELETE ? add_everybody(batch, write, users) : OK;
}
