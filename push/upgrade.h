/* Who may open a WebSocket: the rules for the request that asks for the upgrade (PROTOCOL.md). */
#ifndef PUSH_UPGRADE_H
#define PUSH_UPGRADE_H

#include <stdbool.h>
#include <stddef.h>

#define UPGRADE_PATH "/ws"
#define UPGRADE_SUBPROTOCOL "stonechat.v1"

#define UPGRADE_VERSION "13"

enum {
	UPGRADE_KEY_LEN = 24, /* 16 bytes in base64 (RFC 6455 4.1) */
	UPGRADE_SUBPROTOCOLS_MAX =
		120, /* bytes of the list, and of a name in it: the library ends the connection at few more */
	UPGRADE_SUBPROTOCOL_MAX = 62,
};

/* What the request says; NULL for a header that is not there. */
struct upgrade_request {
	const char *path; /* without the query */
	bool is_get;
	const char *upgrade;
	const char *host;
	const char *origin;
	const char *subprotocols; /* comma-separated */
	const char *connection;   /* comma-separated */
	const char *version;      /* Sec-WebSocket-Version */
	size_t key_len;           /* of Sec-WebSocket-Key */
};

/* 101 when it may; else the HTTP status of the refusal: 404 another path, 405 another method than GET, 426 not a
 * WebSocket's handshake of this version, 403 an Origin that is neither the request's own host nor in `public_origins` (NULL-terminated; NULL:
 * none), 400 no or unknown subprotocol, or too many. A request without Origin does not come from a page. */
unsigned upgrade_check(const struct upgrade_request *request, const char *const *public_origins);

#endif
