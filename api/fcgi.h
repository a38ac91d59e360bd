/* FastCGI: the door through which requests come in, and the threads that serve them. */
#ifndef FCGI_H
#define FCGI_H

#include <stdbool.h>

#include "app.h"
#include "base/status.h"

struct fcgi;

/* Listens on config.api_socket and starts config.api_threads threads. ERR_UNAVAILABLE with a sentence when it cannot. */
MUST_USE enum status fcgi_start(struct app *app, struct fcgi **ret_fcgi, struct fault *ret_fault);

/* Takes no more requests, lets those that are being served end, and removes the socket. False when one did not end in time:
 * its thread still uses the app, which must not be released then. */
bool fcgi_stop(struct fcgi *fcgi);

#endif
