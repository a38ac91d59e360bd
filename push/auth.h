/* Who is at the other end: the frames auth and auth.refresh, and the hello that answers the first. */
#ifndef PUSH_AUTH_H
#define PUSH_AUTH_H

#include <jansson.h>

struct event_frame;
struct session;
struct session_hello;

enum { AUTH_KNOWN_MAX = 500 }; /* conversations that a client may list */

/* Handlers of events.c. */
void auth_on_auth(struct session *session, const struct event_frame *frame);
void auth_on_refresh(struct session *session, const struct event_frame *frame);

/* The hello reply of a session that greets. */
json_t *auth_hello(struct session *session, const struct session_hello *hello);

/* Forgets an auth that is under way. */
void auth_cancel(struct session *session);

#endif
