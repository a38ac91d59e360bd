/* What the subcommands of `stonechat admin` share. They write by the same operations as the servers (shared/writer), which may
 * be running meanwhile, and tell them through Redis when it is there. */
#ifndef CTL_ADMIN_H
#define CTL_ADMIN_H

#include <jansson.h>
#include <stdbool.h>

#include "base/arena.h"
#include "config.h"
#include "db/db.h"
#include "model/user.h"
#include "writer/writer.h"

struct admin {
	struct config *config;
	struct arena arena;
	struct db *db; /* for reading */
	struct fault fault;
	struct write_actor by; /* operator:<account> */

	/* what was asked for */
	const char *argument, *second; /* NULL: none */
	bool json, yes;
	const char *state, *note, *actor, *action, *target; /* NULL: not given */
	int64_t days, limit;                                /* 0: not given */
};

/* Subcommands: `admin` is open for reading. Each prints what it did or found. */
MUST_USE enum status admin_list(struct admin *admin);
MUST_USE enum status admin_show(struct admin *admin);
MUST_USE enum status admin_disable(struct admin *admin);
MUST_USE enum status admin_enable(struct admin *admin);
MUST_USE enum status admin_grant(struct admin *admin);
MUST_USE enum status admin_revoke_role(struct admin *admin);
MUST_USE enum status admin_reset_password(struct admin *admin);
MUST_USE enum status admin_delete(struct admin *admin);
MUST_USE enum status admin_invite(struct admin *admin);
MUST_USE enum status admin_invites(struct admin *admin);
MUST_USE enum status admin_revoke_invite(struct admin *admin);
MUST_USE enum status admin_sign_up(struct admin *admin);
MUST_USE enum status admin_audit(struct admin *admin);

/* In admin_groups.c. */
MUST_USE enum status admin_groups(struct admin *admin);
MUST_USE enum status admin_handover(struct admin *admin);

/* By username, in any form that logs in, or by id. ERR_NOT_FOUND with what to do next. */
MUST_USE enum status admin_find_user(struct admin *admin, const char *who, struct user *ret_user);

/* Runs one operation and tells the servers; its fault becomes admin->fault. */
MUST_USE enum status admin_write(struct admin *admin, struct write_op *op);

/* One JSON object, on a line of its own. Takes the json. */
void admin_print_json(json_t *json);

/* A time for people; "-" for none. In the arena. */
const char *admin_time(struct admin *admin, int64_t at_ms);

#endif
