/* FastCGI: the door through which requests come in, and the threads that serve them. */
#ifndef FCGI_H
#define FCGI_H

#include <stdbool.h>

#include "app.h"
#include "base/status.h"

struct fcgi;

/* Listens on the unix socket `path`, of which processes that are forked afterwards serve each its share. ERR_UNAVAILABLE with a
 * sentence when it cannot. */
MUST_USE enum status fcgi_listen(const char *path, int *ret_listener, struct fault *ret_fault);

/* Takes the socket away: who waits for a request in any process that shares it is woken, and nobody finds it any more. `path`
 * is NULL when somebody else may have one there by now. */
void fcgi_unlisten(const char *path, int listener);

/* Starts config.api_threads threads on the listener. ERR_UNAVAILABLE with a sentence when it cannot. */
MUST_USE enum status fcgi_start(struct app *app, int listener, struct fcgi **ret_fcgi, struct fault *ret_fault);

/* Takes no more requests and lets those that are being served end; threads that wait for one end when the socket has been
 * taken away. False when one did not end in time: it still uses the app, which must not be released then. */
bool fcgi_stop(struct fcgi *fcgi);

#endif
