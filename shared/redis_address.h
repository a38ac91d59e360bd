/* What redis.url says: where Redis is, and as whom to ask. */
#ifndef REDIS_ADDRESS_H
#define REDIS_ADDRESS_H

#include "base/arena.h"
#include "base/status.h"

struct redis_address {
	const char *path; /* of a unix socket, or NULL: */
	const char *host;
	int port;
	const char *user, *password; /* NULL: Redis asks for none; a user only together with a password */
};

/* Reads unix:<path> or redis://[[<user>]:<password>@]<host>[:<port>], with user and password percent-encoded. Everything points
 * into the arena. ERR_INVALID for another form; the refusal repeats nothing of it. */
MUST_USE enum status redis_address_parse(const char *redis_url, struct arena *arena, struct redis_address *ret_address,
					 struct fault *ret_fault);

#endif
