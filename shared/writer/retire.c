/* Leaving all groups: see retire.h. What happens in each is an operation of group.c. */
#include "writer/retire.h"

#include <string.h>

#include "store/groups.h"

enum status
retire_from_groups(struct writer *writer, struct db *db, const char *user_id, struct fault *ret_fault)
{
	char id[ID_SIZE] = "", person[1][ID_SIZE];
	bool found = true;

	memcpy(person[0], user_id, ID_SIZE);
	for (;;) {
		struct write_group write = {.op.kind = WRITE_GROUP, .action = GROUP_RETIRE, .n_user_ids = 1};

		TRY(groups_next_of(db, user_id, id, &found, id));
		if (!found)
			return OK;
		write.op.conversation_id = id;
		write.user_ids = (const char(*)[ID_SIZE])person;
		memcpy(write.actor_id, user_id, ID_SIZE);
		enum status status = writer_run(writer, &write.op);
		arena_finish(&write.op.arena);
		if (status != OK && status != ERR_NOT_FOUND) { /* not found: they had just been removed */
			*ret_fault = write.op.fault;
			return status;
		}
	}
}

enum status
retire_leftovers(struct writer *writer, struct db *db, struct fault *ret_fault)
{
	char id[ID_SIZE] = "";
	enum status first = OK, status;
	struct fault fault;
	bool found = true;

	for (;;) {
		TRY(groups_next_to_retire(db, id, &found, id));
		if (!found)
			return first;
		fault = (struct fault){0};
		status = retire_from_groups(writer, db, id, &fault);
		if (status != OK && first == OK) {
			first = status;
			*ret_fault = fault;
		}
	}
}
