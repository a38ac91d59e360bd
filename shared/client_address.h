/* Whose request it is: the peer's address, or the one that a proxy we trust tells in X-Forwarded-For. */
#ifndef CLIENT_ADDRESS_H
#define CLIENT_ADDRESS_H

#include "base/arena.h"
#include "base/status.h"

enum { CLIENT_ADDRESS_SIZE = 64 };

struct client_proxies;

/* Reads limits.trusted_proxies: addresses and CIDR blocks (10.0.0.0/8, ::1), separated by commas; lives in the arena.
 * ERR_INVALID. */
MUST_USE enum status client_proxies_parse(const char *list, struct arena *arena, struct client_proxies **ret_proxies,
					  struct fault *ret_fault);

/* The address in its canonical form. X-Forwarded-For (may be NULL) is read from its right end, for each proxy appends whom it
 * heard: the first that is not a trusted proxy is the client, and what stands left of it is its own claim. `peer` decides alone
 * when it is not trusted. "" when the peer has no address. */
void client_address_find(const struct client_proxies *proxies, const char *peer, const char *forwarded_for,
			 char ret_address[CLIENT_ADDRESS_SIZE]);

/* The key by which an address is limited: of IPv6 the /64, which is what one customer gets (RFC 6177). */
void client_address_key(const char *address, char ret_key[CLIENT_ADDRESS_SIZE]);

#endif
