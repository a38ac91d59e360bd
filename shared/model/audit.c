/* How acts and invites are shown. */
#include "model/audit.h"

#include "base/clock.h"

static json_t *
time_to_json(int64_t at_ms)
{
	char text[CLOCK_TEXT_SIZE];

	if (!at_ms)
		return json_null();
	clock_format(at_ms, text);
	return json_string(text);
}

json_t *
audit_entry_to_json(const struct audit_entry *entry)
{
	json_t *detail = json_loads(entry->detail, 0, NULL);

	return json_pack("{s:s, s:o, s:s, s:s, s:s?, s:s?, s:s?, s:o}", "id", entry->id, "at",
			 time_to_json(entry->at_ms), "actor", entry->actor, "action", entry->action, "target",
			 entry->target, "address", entry->address, "request_id", entry->request_id, "detail",
			 detail ? detail : json_object());
}

static const char *
state_of(const struct invite *invite, int64_t now_ms)
{
	if (invite->used_at_ms)
		return "used";
	if (invite->revoked_at_ms)
		return "revoked";
	return invite->expires_at_ms <= now_ms ? "expired" : "open";
}

json_t *
invite_to_json(const struct invite *invite, int64_t now_ms)
{
	return json_pack("{s:s, s:s, s:s?, s:s, s:o, s:o, s:s?, s:o}", "id", invite->id, "state",
			 state_of(invite, now_ms), "note", invite->note, "created_by", invite->created_by, "created_at",
			 time_to_json(invite->created_at_ms), "expires_at", time_to_json(invite->expires_at_ms),
			 "used_by", invite->used_by[0] ? invite->used_by : NULL, "used_at",
			 time_to_json(invite->used_at_ms));
}
