/* What is known of the rows of one table in the destination: an entry for each, found by the hash of its key. About 80 bytes a
 * row. */
#ifndef MOVE_MAP_H
#define MOVE_MAP_H

#include <stddef.h>

#include "base/hash.h"

struct move_entry {
	struct hash key;
	union {
		struct hash row;     /* of its content */
		struct {             /* of a conversation: messages up to this seq are there, */
			int64_t seq; /* with all their changes up to this rev */
			int64_t rev;
		} head;
	};
	int64_t verified; /* of a conversation: the rev up to which both sides were found to be the same; -1: never */
	uint32_t generation; /* of the last pass that has seen it in the source; never 0 */
};

struct move_map {
	struct move_entry *entries; /* [capacity]; generation 0: free */
	size_t capacity, n;
};

void move_map_finish(struct move_map *map);

/* NULL: there is none. Entries move when another one is added. */
struct move_entry *move_map_find(struct move_map *map, const struct hash *key);

/* A new one, all zero but its key and generation; the key must not be there. */
struct move_entry *move_map_add(struct move_map *map, const struct hash *key, uint32_t generation);

#endif
