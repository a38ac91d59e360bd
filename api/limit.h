/* Limits at the REST door: which class a route counts in and for whom, and what every answer of it says about that. */
#ifndef LIMIT_H
#define LIMIT_H

#include "base/status.h"

struct req;

/* Takes one of the route's class from the caller, or from the address where there is no caller. ERR_RATE_LIMITED. */
MUST_USE enum status limit_check(struct req *req);

/* RateLimit-Limit, -Remaining and -Reset of what limit_check found, and Retry-After of a refusal. */
void limit_add_headers(struct req *req);

/* The address of the client, behind trusted proxies too; "" when it has none. */
const char *limit_address(struct req *req);

/* password_verify, after the delay that wrong passwords for `who` (a name, or the caller's id) have earned: those from this address, and,
 * if there are many, those from all addresses, unless the person `user_id` ("": nobody) has a device logged in from this one.
 * ERR_RATE_LIMITED before the password is looked at. */
MUST_USE enum status limit_verify_password(struct req *req, const char *who, const char *user_id, const char *password,
					   const char *hash);

#endif
