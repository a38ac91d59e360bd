/* What a page of another origin may do (Fetch standard, 3.2): the origins in public.origins call the API with a bearer token
 * and read its answers, errors too; no page of another origin ever sends or gets a cookie. */
#ifndef CORS_H
#define CORS_H

struct req;

/* For every answer: lets a page in public.origins read it, with the headers that mean something to a client. Without an Origin
 * nothing is added, and for an origin that is not listed only what caches must know. */
void cors_add_headers(struct req *req);

/* For the answer to OPTIONS: lets a page in public.origins send `methods` (separated by commas), when its browser asks. */
void cors_permit(struct req *req, const char *methods);

#endif
