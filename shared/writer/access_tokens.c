/* Personal access tokens: making one, and noting that one was used. They end as log-ins do (accounts.c). */
#include "store/access_tokens.h"
#include "store/sessions.h"
#include "writer/batch.h"

static enum status
create(struct batch *batch, struct write_access_token *write)
{
	struct login_session *tokens;
	size_t n;

	TRY(batch_check_session(batch, &write->op, write->session_id, write->token.user_id));
	if (write->op.status != OK)
		return OK;
	TRY(access_tokens_list(batch->db, &batch->arena, write->token.user_id, batch->now_ms, &tokens, &n));
	if (n >= ACCESS_TOKENS_MAX)
		return batch_refuse(&write->op, ERR_CONFLICT, "too_many_tokens", NULL,
				    "There are 50 personal access tokens already: revoke one that is not used.");
	return sessions_insert(batch->db, &write->token);
}

enum status
access_tokens_run(struct batch *batch, struct write_op *op)
{
	struct write_access_token *write = (struct write_access_token *)op; /* op is its first member */

	if (op->kind == WRITE_CREATE_TOKEN)
		return create(batch, write);
	return access_tokens_set_used(batch->db, write->token.id, batch->now_ms);
}

enum status
access_tokens_find_users(struct batch *batch, struct write_op *op, struct batch_users *users)
{
	batch_users_add(batch, users, ((const struct write_access_token *)op)->token.user_id);
	return OK;
}
