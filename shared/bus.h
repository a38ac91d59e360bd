/* Publishing to Redis: one thread that sends pipelined from a bounded queue. A hint, never a promise: it drops when Redis is
 * down or slow, and nobody ever waits for it. */
#ifndef BUS_H
#define BUS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum { BUS_QUEUE_MAX = 65536 };

struct bus;

/* Starts the thread; Redis need not be there yet. `redis_url`: redis_address.h. ERR_INVALID when the
 * address has another form. */
MUST_USE enum status bus_create(const char *redis_url, struct bus **ret_bus, struct fault *ret_fault);

/* Sends what is queued for at most 200 ms, then ends. NULL is fine. */
void bus_destroy(struct bus *bus);

/* Queues one record; both are copied. Records of one thread leave in the order of the calls. False when dropped. */
bool bus_publish(struct bus *bus, const char *channel, const void *bytes, size_t len);

/* Whether Redis answered last time (the breaker is closed). */
bool bus_is_up(const struct bus *bus);

#endif
