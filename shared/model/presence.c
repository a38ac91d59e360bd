/* How presence is shown, and its two kinds of records. */
#include "model/presence.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"

const char *
presence_status_name(enum presence_status status)
{
	switch (status) {
	case PRESENCE_ONLINE:
		return "online";
	case PRESENCE_OFFLINE:
		return "offline";
	case PRESENCE_UNKNOWN:
		break;
	}
	return "unknown";
}

json_t *
presence_to_json(const struct presence *presence)
{
	char last_seen[CLOCK_TEXT_SIZE];
	bool shown = presence->status != PRESENCE_ONLINE && presence->last_seen_ms > 0;

	if (shown)
		clock_format(presence->last_seen_ms, last_seen);
	return json_pack("{s:s, s:s, s:s?}", "user_id", presence->user_id, "connection_status",
			 presence_status_name(presence->status), "last_seen", shown ? last_seen : NULL);
}

/* A copy with a NUL at its end; false when it is longer than a record may be, or has one inside. */
static bool
copy_record(const char *bytes, size_t len, char ret_text[PRESENCE_RECORD_SIZE])
{
	if (len == 0 || len >= PRESENCE_RECORD_SIZE || memchr(bytes, '\0', len))
		return false;
	memcpy(ret_text, bytes, len);
	ret_text[len] = '\0';
	return true;
}

enum status
presence_decode(const char *bytes, size_t len, enum presence_status *ret_status, int64_t *ret_last_seen_ms)
{
	char text[PRESENCE_RECORD_SIZE];
	long long last_seen_ms;

	if (!copy_record(bytes, len, text))
		return ERR_MALFORMED;
	if (strcmp(text, "+") == 0) {
		*ret_status = PRESENCE_ONLINE;
		*ret_last_seen_ms = 0;
		return OK;
	}
	if (text[0] != '-' || !text_to_int64(text + 1, &last_seen_ms))
		return ERR_MALFORMED;
	*ret_status = PRESENCE_OFFLINE;
	*ret_last_seen_ms = last_seen_ms;
	return OK;
}
