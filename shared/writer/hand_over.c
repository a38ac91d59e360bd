/* A group whose owner cannot log in is given another one by whoever administers the server: part of group.c, for those who need
 * not be in the group. An owner who can log in is left alone. */
#include <string.h>

#include "store/conversations.h"
#include "store/groups.h"
#include "writer/batch.h"

enum status
hand_over_find_owner(struct batch *batch, struct write_group *write)
{
	struct group_owner owner;
	struct fault fault = {0};
	enum status status = groups_owner(batch->db, write->op.conversation_id, &owner, &fault);

	write->actor_id[0] = '\0';
	if (status == OK)
		memcpy(write->actor_id, owner.user_id, ID_SIZE);
	return batch_is_refusal(status, &fault) ? OK : status;
}

/* Who is to have it: a member who can log in; else it is refused. *ret_is_owner: they have it already. */
static enum status
check_heir(struct batch *batch, struct write_group *write, bool *ret_is_owner)
{
	struct member heir;
	bool found, active;

	TRY(groups_member(batch->db, &write->op.arena, write->op.conversation_id, write->user_ids[0], &found, &heir));
	if (!found || heir.left_at_ms)
		return batch_refuse(&write->op, ERR_NOT_FOUND, "member_not_found", NULL,
				    "This person is not a member of the conversation.");
	*ret_is_owner = strcmp(heir.role, "owner") == 0;
	TRY(direct_find_person(batch, heir.user_id, &active));
	if (!active && !*ret_is_owner)
		return batch_refuse(&write->op, ERR_INVALID, "user_unavailable", "user_id",
				    "This person cannot log in: somebody else must become the owner.");
	return OK;
}

static enum status
hand_over(struct batch *batch, struct write_group *write, const struct group_owner *owner)
{
	const char *heir_id = write->user_ids[0];
	int64_t rev, seq;

	TRY(conversations_advance(batch->db, write->op.conversation_id, 0, 1, &seq, &rev));
	TRY(group_change_role(batch, write, heir_id, "owner", rev));
	TRY(group_change_role(batch, write, owner->user_id, "admin", rev));
	group_announce_members(batch, write, "member.updated", rev);
	return administration_note(batch, &write->by, "conversation.handed_over", write->op.conversation_id,
				   json_pack("{s:s, s:s}", "from", owner->user_id, "to", heir_id));
}

enum status
hand_over_run(struct batch *batch, struct write_group *write)
{
	struct group_owner owner;
	struct fault fault = {0};

	TRY(administration_check(batch, &write->op, &write->by));
	if (write->op.status != OK)
		return OK;
	enum status status = groups_owner(batch->db, write->op.conversation_id, &owner, &fault);
	if (batch_is_refusal(status, &fault))
		return batch_refuse_with(&write->op, &fault);
	TRY(status);
	if (strcmp(owner.user_id, write->actor_id) != 0)
		return ERR_CONFLICT; /* another one than has been locked: again */
	/* Before anything is told of who else is in it; who has it already asks again, perhaps. */
	if (owner.can_log_in && strcmp(owner.user_id, write->user_ids[0]) != 0)
		return batch_refuse(&write->op, ERR_CONFLICT, "owner_active", NULL,
				    "The owner of this group can log in, and only they may hand it over: ask them, or "
				    "disable their account first.");
	TRY(check_heir(batch, write, &write->unchanged));
	if (write->op.status != OK || write->unchanged)
		return OK;
	return hand_over(batch, write, &owner);
}
