/* One small responder per process for GET /metrics, on loopback, in a thread of its own. */
#ifndef METRICS_HTTP_H
#define METRICS_HTTP_H

#include <stdint.h>

#include "base/status.h"

struct metrics_http;

/* Listens on 127.0.0.1:port. ERR_UNAVAILABLE with a sentence when the port is taken. */
MUST_USE enum status metrics_http_start(int64_t port, struct metrics_http **ret_server, struct fault *ret_fault);
void metrics_http_stop(struct metrics_http *server);

#endif
