/* One GET by a plain socket, with one deadline for all of it: what the programs tell of themselves. */
#ifndef FETCH_H
#define FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* Appends the answer's body; its status, or 0 when there was no whole answer within `timeout_ms` (the body is then of no use).
 * `address` is numeric; the unspecified one means this machine. */
int fetch(const char *address, int64_t port, const char *path, int timeout_ms, struct buf *body);

#endif
