/* Problem documents (RFC 9457): the one place that writes error bodies. */
#ifndef PROBLEM_H
#define PROBLEM_H

#include "base/status.h"

struct req;

/* Answers a request that was refused with `status`: code, field and sentence from req->fault when that belongs to this
 * status, else those of the status itself; never what went wrong inside. Replaces an answer begun before. Adds WWW-Authenticate. */
void problem_reply(struct req *req, enum status status);

#endif
