/* What an administrator or operator did: the OpenAPI schema AuditEntry; and invites, the schema Invite. */
#ifndef MODEL_AUDIT_H
#define MODEL_AUDIT_H

#include <jansson.h>
#include <stdint.h>

#include "base/id.h"

struct audit_entry {
	char id[ID_SIZE];
	int64_t at_ms;
	const char *actor;      /* a person's id, or operator:<account> */
	const char *action;     /* user.disabled, ... */
	const char *target;     /* an id; NULL: none */
	const char *address;    /* NULL: not by the network */
	const char *request_id; /* likewise */
	const char *detail;     /* a JSON object */
};

struct invite {
	char id[ID_SIZE];
	char code_hash[ID_SECRET_SIZE];
	const char *note;       /* NULL: none */
	const char *created_by; /* as audit_entry.actor */
	int64_t created_at_ms, expires_at_ms, used_at_ms, revoked_at_ms;
	char used_by[ID_SIZE]; /* "": nobody yet */
};

json_t *audit_entry_to_json(const struct audit_entry *entry);

/* With state: open, used, expired or revoked. */
json_t *invite_to_json(const struct invite *invite, int64_t now_ms);

#endif
