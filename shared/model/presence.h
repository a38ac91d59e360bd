/* Whether somebody is there: the OpenAPI schema Presence, and what is said of it over the bus. */
#ifndef MODEL_PRESENCE_H
#define MODEL_PRESENCE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"
#include "base/status.h"

enum {
	PRESENCE_IDS_MAX = 200,    /* in one watch list */
	PRESENCE_ASKED_MAX = 100,  /* in one question: what fits into a request's head however it is encoded */
	PRESENCE_RECORD_SIZE = 48, /* of a record with its NUL */
};

enum presence_status {
	PRESENCE_UNKNOWN, /* Redis is away, or has just lost what it knew */
	PRESENCE_OFFLINE,
	PRESENCE_ONLINE,
};

struct presence {
	char user_id[ID_SIZE];
	enum presence_status status;
	int64_t last_seen_ms; /* 0: never seen, or not known */
};

/* "online", "offline" or "unknown": a literal. */
const char *presence_status_name(enum presence_status status);

/* {user_id, connection_status, last_seen}; last_seen is null of who is online. */
json_t *presence_to_json(const struct presence *presence);

/* Records of p:<user>: `+` came, `-<epoch ms>` left and was last seen then. Anything else is ERR_MALFORMED. */
MUST_USE enum status presence_decode(const char *bytes, size_t len, enum presence_status *ret_status,
				     int64_t *ret_last_seen_ms);

#endif
