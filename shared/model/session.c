/* How a log-in is shown to its owner. */
#include "model/session.h"

#include "base/clock.h"

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
