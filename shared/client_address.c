/* All addresses are compared as IPv6, IPv4 as ::ffff:a.b.c.d (RFC 4291 2.5.5.2). */
#include "client_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

struct block {
	struct in6_addr address;
	int bits;
};

struct client_proxies {
	size_t n;
	struct block blocks[];
};

static bool
parse(const char *text, struct in6_addr *ret_address)
{
	struct in6_addr mapped = {.s6_addr = {[10] = 0xff, [11] = 0xff}}; /* ::ffff:0:0/96 (RFC 4291 2.5.5.2) */

	if (inet_pton(AF_INET6, text, ret_address) == 1)
		return true;
	if (inet_pton(AF_INET, text, mapped.s6_addr + 12) != 1)
		return false;
	*ret_address = mapped;
	return true;
}

static void
format(const struct in6_addr *address, char ret_text[CLIENT_ADDRESS_SIZE])
{
	if (IN6_IS_ADDR_V4MAPPED(address))
		inet_ntop(AF_INET, address->s6_addr + 12, ret_text, CLIENT_ADDRESS_SIZE);
	else
		inet_ntop(AF_INET6, address, ret_text, CLIENT_ADDRESS_SIZE);
}

static bool
parse_block(char *text, struct block *ret_block)
{
	char *slash = strchr(text, '/');
	long long bits = 128;
	bool is_v4 = strchr(text, ':') == NULL;

	if (slash)
		*slash = '\0';
	if (!parse(text, &ret_block->address))
		return false;
	if (slash && (!text_to_int64(slash + 1, &bits) || bits > (is_v4 ? 32 : 128)))
		return false;
	ret_block->bits = (int)bits + (slash && is_v4 ? 96 : 0);
	return true;
}

enum status
client_proxies_parse(const char *list, struct arena *arena, struct client_proxies **ret_proxies,
		     struct fault *ret_fault)
{
	char *rest = arena_strdup(arena, list);
	struct client_proxies *proxies =
		arena_alloc(arena, sizeof *proxies + (strlen(list) + 1) * sizeof proxies->blocks[0]);

	for (rest += strspn(rest, ", "); *rest; rest += strspn(rest, ", ")) {
		char *item = rest;
		size_t len = strcspn(item, ", ");

		rest += len + (item[len] != '\0');
		item[len] = '\0';
		if (!parse_block(item, &proxies->blocks[proxies->n++]))
			return fault_set(ret_fault, ERR_INVALID, "bad_setting", "limits.trusted_proxies",
					 "limits.trusted_proxies is a list of addresses and blocks such as 10.0.0.0/8, "
					 "separated by commas; \"%s\" is none.",
					 item);
	}
	*ret_proxies = proxies;
	return OK;
}

static bool
is_trusted(const struct client_proxies *proxies, const struct in6_addr *address)
{
	for (size_t i = 0; proxies && i < proxies->n; i++) {
		const struct block *block = &proxies->blocks[i];
		size_t bytes = (size_t)block->bits / 8;
		int rest = block->bits % 8;

		if (memcmp(address->s6_addr, block->address.s6_addr, bytes) == 0 &&
		    (rest == 0 || (address->s6_addr[bytes] ^ block->address.s6_addr[bytes]) >> (8 - rest) == 0))
			return true;
	}
	return false;
}

/* Takes the last item off the `*len` bytes; false when there is none, or none that is an address (also with a port). */
static bool
take_last(const char *list, size_t *len, struct in6_addr *ret_address)
{
	char item[CLIENT_ADDRESS_SIZE];
	size_t end = *len, start;
	char *text = item, *colon;

	while (end > 0 && strchr(" \t,", list[end - 1]))
		end--;
	for (start = end; start > 0 && !strchr(" \t,", list[start - 1]);)
		start--;
	*len = start;
	if (end == start || end - start >= sizeof item)
		return false;
	snprintf(item, sizeof item, "%.*s", (int)(end - start), list + start);
	colon = strchr(item, ':');
	if (item[0] == '[') {
		text = item + 1;
		text[strcspn(text, "]")] = '\0';
	} else if (colon && !strchr(colon + 1, ':')) {
		*colon = '\0';
	}
	return parse(text, ret_address);
}

void
client_address_find(const struct client_proxies *proxies, const char *peer, const char *forwarded_for,
		    char ret_address[CLIENT_ADDRESS_SIZE])
{
	size_t len = forwarded_for ? strlen(forwarded_for) : 0;
	struct in6_addr address, next;

	ret_address[0] = '\0';
	if (!peer || !parse(peer, &address))
		return;
	while (is_trusted(proxies, &address) && take_last(forwarded_for, &len, &next))
		address = next;
	format(&address, ret_address);
}

void
client_address_key(const char *address, char ret_key[CLIENT_ADDRESS_SIZE])
{
	struct in6_addr parsed;

	snprintf(ret_key, CLIENT_ADDRESS_SIZE, "%s", address);
	if (!parse(address, &parsed) || IN6_IS_ADDR_V4MAPPED(&parsed))
		return;
	memset(parsed.s6_addr + 8, 0, 8);
	format(&parsed, ret_key);
	snprintf(ret_key + strlen(ret_key), CLIENT_ADDRESS_SIZE - strlen(ret_key), "/64");
}
