/* What the operations for administrators share. */
#ifndef ADMIN_H
#define ADMIN_H

#include "base/id.h"
#include "base/status.h"
#include "writer/writer.h"

struct req;

/* ERR_FORBIDDEN, code `admin_required`, for everybody else. The writer asks again in its transaction. */
MUST_USE enum status admin_check(struct req *req);

/* The caller as the audit names them. Strings live as long as the request. */
void admin_actor(struct req *req, struct write_actor *ret_actor);

/* The path parameter user_id. ERR_NOT_FOUND for what cannot be an id. */
MUST_USE enum status admin_user_id(struct req *req, char ret_id[ID_SIZE]);

/* Runs the act; its fault becomes the request's. The caller finishes op.arena. */
MUST_USE enum status admin_run(struct req *req, struct write_op *op);

/* After an account was deleted: leaves its groups. What does not work now is logged, and the retirer does it. */
void admin_retire(struct req *req, const char *user_id);

/* Who may sign up now: a literal or text in the request's arena. */
MUST_USE enum status admin_sign_up(struct req *req, const char **ret_sign_up);

#endif
