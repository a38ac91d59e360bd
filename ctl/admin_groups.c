/* stonechat admin: groups that have lost their owner. */
#include <stdio.h>
#include <string.h>

#include "admin.h"
#include "store/groups.h"
#include "store/users.h"

/* Who could have the group: *ret_found false when of the others nobody can log in. */
static enum status
find_heir(struct admin *admin, const char *id, const char *user_id, bool *ret_found, char ret_heir_id[ID_SIZE])
{
	struct user heir;

	TRY(groups_heir(admin->db, id, user_id, ret_found, ret_heir_id));
	if (!*ret_found)
		return OK;
	TRY(users_get(admin->db, &admin->arena, ret_heir_id, &heir, &admin->fault));
	if (heir.disabled_at_ms) /* first are those who are not */
		*ret_found = false;
	return OK;
}

/* One group of the person; of an owned one also who could be its next owner. */
static enum status
print_group(struct admin *admin, const char *id, const char *user_id)
{
	struct group_state state;
	char heir_id[ID_SIZE] = "";
	bool found = false;

	TRY(groups_state(admin->db, &admin->arena, id, user_id, &state, &admin->fault));
	bool owned = strcmp(state.role, "owner") == 0;
	if (owned)
		TRY(find_heir(admin, id, user_id, &found, heir_id));
	if (admin->json)
		admin_print_json(json_pack("{s:s, s:s, s:s, s:I, s:s?}", "id", id, "title", state.title, "role",
					   state.role, "member_count", (json_int_t)state.member_count, "heir",
					   found ? heir_id : NULL));
	else
		printf("%s  %-6s %5lld  %s%s%s\n", id, state.role, (long long)state.member_count, state.title,
		       found ? "  next: " : "", found ? heir_id : "");
	return OK;
}

enum status
admin_groups(struct admin *admin)
{
	char id[ID_SIZE] = "";
	struct user user;
	bool found;

	TRY(admin_find_user(admin, admin->argument, &user));
	for (;;) {
		TRY(groups_next_of(admin->db, user.id, id, &found, id));
		if (!found)
			return OK;
		TRY(print_group(admin, id, user.id));
	}
}

enum status
admin_handover(struct admin *admin)
{
	struct write_group write = {.op.kind = WRITE_GROUP, .action = GROUP_HAND_OVER, .by = admin->by};
	char conversation_id[ID_SIZE], heir[1][ID_SIZE];
	struct user user;

	if (!id_normalize(admin->argument, conversation_id))
		return fault_set(&admin->fault, ERR_INVALID, "conversation_id", NULL,
				 "%.40s is not the id of a group: `stonechat admin groups USER` shows them.",
				 admin->argument);
	TRY(admin_find_user(admin, admin->second, &user));
	memcpy(heir[0], user.id, ID_SIZE);
	write.op.conversation_id = conversation_id;
	write.user_ids = (const char(*)[ID_SIZE])heir;
	write.n_user_ids = 1;
	enum status status = admin_write(admin, &write.op);
	arena_finish(&write.op.arena);
	TRY(status);
	if (admin->json)
		admin_print_json(json_pack("{s:s, s:s}", "conversation_id", conversation_id, "owner_id", user.id));
	else
		printf("%s is the owner of %s\n", user.username, conversation_id);
	return OK;
}
