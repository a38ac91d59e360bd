/* Asking another process of this machine whether it is ready: one short HTTP GET. */
#ifndef PROBE_H
#define PROBE_H

#include <stdbool.h>
#include <stdint.h>

/* Whether GET `path` at a numeric address answers 200 within `timeout_ms`, or is turned away because too many connect at once. */
bool probe_http(const char *address, int64_t port, const char *path, int timeout_ms);

#endif
