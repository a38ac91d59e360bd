/* What session.c, auth.c and events.c share of a session, and nobody else sees. */
#ifndef PUSH_SESSION_PRIVATE_H
#define PUSH_SESSION_PRIVATE_H

#include "base/status.h"
#include "cursors.h"
#include "lane.h"
#include "liveness.h"
#include "rate.h"
#include "sends.h"
#include "session.h"
#include "wheel.h"

struct auth;
struct presence_watcher;
struct typing;

struct session_server {
	struct session_server_options options;
	struct session *sessions; /* while draining, in the order of their slots */
	bool draining;
	struct typing *typing;
	struct cursors *cursors;
};

struct session {
	struct session_server *server;
	struct ws_conn *conn;
	struct session *prev, *next; /* in server->sessions */
	enum session_state state;
	bool reading;

	char connection_id[ID_SIZE];
	char user_id[ID_SIZE];                       /* "" until authenticated */
	char login_id[ID_SIZE];                      /* the token's session */
	int64_t token_expires_at_ms, token_grace_ms; /* wall clock */
	struct auth *auth;                           /* the auth frame, until hello answers it */
	struct hub_socket *hub_socket;
	struct presence_watcher *watcher; /* NULL until it watches somebody */

	struct rate rate;
	struct sends sends;
	struct cursor_owner cursor_owner;
	struct rate strange_cursors; /* of conversations that it is not attached to; all zero: full */
	struct lanes lanes;

	struct wheel_entry check;
	struct liveness liveness;
	int64_t ping_at_ms;  /* monotonic */
	int64_t leave_at_ms; /* its slot while the server drains; monotonic */
};

void session_set_state(struct session *session, enum session_state state);

/* Looks anew at whether the socket is to be read: call it after anything that may change the answer. */
void session_update_reading(struct session *session);

/* Sends a reply or another object of the control lane. Takes the json. */
void session_reply(struct session *session, json_t *reply);

/* Sets when the session is looked at next, after its token or its state has changed. */
void session_plan_check(struct session *session);

#endif
