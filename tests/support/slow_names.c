/* A name server that is slow: preloaded into a program, it lets each look-up of a name wait SLOW_NAMES_MS, and then answers 127.0.0.1.
 * Addresses in figures are looked up as ever. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <time.h>

int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret_found)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
		(int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))dlsym(RTLD_NEXT,
													"getaddrinfo");
	unsigned char address[sizeof(struct in6_addr)];

	if (node && inet_pton(AF_INET, node, address) != 1 && inet_pton(AF_INET6, node, address) != 1) {
		long ms = atol(getenv("SLOW_NAMES_MS"));

		nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
		node = "127.0.0.1";
	}
	return real(node, service, hints, ret_found);
}
