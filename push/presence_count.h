/* How many are online in a group of over 250, where nobody is told of each: one process at a time counts, whichever gets a lease in
 * Redis, and publishes the number as a passing event of the conversation. Loop thread only. */
#ifndef PUSH_PRESENCE_COUNT_H
#define PUSH_PRESENCE_COUNT_H

#include "hub.h"
#include "storage.h"

struct presence_count;

struct presence_count *presence_count_create(struct hub *hub, struct storage *storage, const char *node,
					     int64_t count_ms);
/* No job of storage may be under way. */
void presence_count_destroy(struct presence_count *count);

/* Looks for groups whose count is due; to be called now and then while Redis answers. */
void presence_count_tick(struct presence_count *count, int64_t now_ms);

#endif
