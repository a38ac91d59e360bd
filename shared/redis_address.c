/* Where Redis is. Nothing of a refused address is repeated: it may be a password that lacks its @. */
#include "redis_address.h"

#include <string.h>
#include <sys/un.h>

#include "base/text.h"

enum { STANDARD_PORT = 6379 };

static enum status
refuse(struct fault *ret_fault, const char *problem)
{
	return fault_set(ret_fault, ERR_INVALID, "redis_url_invalid", "redis.url",
			 "redis.url is unix:<path> or redis://[[<user>]:<password>@]<host>[:<port>], but this one %s.",
			 problem);
}

static enum status
parse_path(const char *path, struct arena *arena, struct redis_address *ret_address, struct fault *ret_fault)
{
	if (!*path)
		return refuse(ret_fault, "has no path");
	if (strlen(path) >= sizeof((struct sockaddr_un *)NULL)->sun_path) /* hiredis would cut it */
		return refuse(ret_fault, "has a path that is too long for a socket");
	ret_address->path = arena_strdup(arena, path);
	return OK;
}

/* *ret_text: the bytes with their %XX decoded, or NULL when there are none. False for a % without two digits, and for a NUL. */
static bool
decode(const char *bytes, size_t len, struct arena *arena, const char **ret_text)
{
	char *text = arena_alloc(arena, len + 1);
	size_t decoded_len;

	if (!text_percent_decode(bytes, len, false, text, &decoded_len) || strlen(text) != decoded_len)
		return false;
	*ret_text = len ? text : NULL;
	return true;
}

/* <user>:<password> | :<password> */
static enum status
parse_who(const char *who, size_t len, struct arena *arena, struct redis_address *address, struct fault *ret_fault)
{
	const char *colon = memchr(who, ':', len);

	if (!colon || colon + 1 == who + len)
		return refuse(ret_fault, "has no password before its @");
	if (!decode(who, (size_t)(colon - who), arena, &address->user) ||
	    !decode(colon + 1, (size_t)(who + len - colon) - 1, arena, &address->password))
		return refuse(ret_fault, "has a % that two hexadecimal digits don't follow (write % itself as %25)");
	return OK;
}

static enum status
parse_host(const char *host, struct arena *arena, struct redis_address *address, struct fault *ret_fault)
{
	const char *end = host + strcspn(host, ":/@?");
	long long port = STANDARD_PORT;

	if (*end && *end != ':')
		return refuse(ret_fault, "has more than a host and a port");
	if (end == host)
		return refuse(ret_fault, "has no host");
	if (*end && (!text_to_int64(end + 1, &port) || port < 1 || port > 65535))
		return refuse(ret_fault, "has a port that is not 1 to 65535");
	address->host = arena_memdup(arena, host, (size_t)(end - host));
	address->port = (int)port;
	return OK;
}

enum status
redis_address_parse(const char *redis_url, struct arena *arena, struct redis_address *ret_address,
		    struct fault *ret_fault)
{
	static const char unix_scheme[] = "unix:", tcp_scheme[] = "redis://";
	const char *host, *at;

	*ret_address = (struct redis_address){0};
	if (strncmp(redis_url, unix_scheme, strlen(unix_scheme)) == 0)
		return parse_path(redis_url + strlen(unix_scheme), arena, ret_address, ret_fault);
	if (strncmp(redis_url, tcp_scheme, strlen(tcp_scheme)) != 0)
		return refuse(ret_fault, "is neither");
	host = redis_url + strlen(tcp_scheme);
	at = strrchr(host, '@');
	if (at) {
		TRY(parse_who(host, (size_t)(at - host), arena, ret_address, ret_fault));
		host = at + 1;
	}
	return parse_host(host, arena, ret_address, ret_fault);
}
