/* How a log-in and a personal access token are shown to their owner. */
#include "model/session.h"

#include "base/clock.h"
#include "base/text.h"

json_t *
session_to_json(const struct login_session *session, bool current)
{
	char created_at[CLOCK_TEXT_SIZE], last_used_at[CLOCK_TEXT_SIZE], expires_at[CLOCK_TEXT_SIZE];

	clock_format(session->created_at_ms, created_at);
	clock_format(session->last_used_at_ms, last_used_at);
	clock_format(session->expires_at_ms, expires_at);
	return json_pack("{s:s, s:s?, s:s?, s:s, s:s, s:s, s:b}", "id", session->id, "user_agent", session->user_agent,
			 "address", session->address, "created_at", created_at, "last_used_at", last_used_at,
			 "expires_at", expires_at, "current", current);
}

json_t *
access_token_to_json(const struct login_session *session)
{
	char created_at[CLOCK_TEXT_SIZE], last_used_at[CLOCK_TEXT_SIZE], expires_at[CLOCK_TEXT_SIZE];

	clock_format(session->created_at_ms, created_at);
	clock_format(session->last_used_at_ms, last_used_at);
	clock_format(session->expires_at_ms, expires_at);
	return json_pack("{s:s, s:s, s:s, s:s, s:s?, s:s}", "id", session->id, "name", session->name, "prefix",
			 session->prefix, "created_at", created_at, "last_used_at",
			 session->last_used_at_ms ? last_used_at : NULL, "expires_at", expires_at);
}

enum status
access_token_check_name(const char *name, struct fault *ret_fault)
{
	if (text_is_blank(name) || text_code_points(name) > ACCESS_TOKEN_NAME_MAX || text_has_control(name, "") ||
	    text_has_invisible(name))
		return fault_set(ret_fault, ERR_INVALID, "name_invalid", "name",
				 "The name says what the token is for, in 1 to %d visible characters.",
				 ACCESS_TOKEN_NAME_MAX);
	return OK;
}
