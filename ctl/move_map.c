/* Open addressing; keys are hashes already. See move_map.h. */
#include "move_map.h"

#include <stdlib.h>

enum { FIRST_CAPACITY = 1024 };

void
move_map_finish(struct move_map *map)
{
	free(map->entries);
	*map = (struct move_map){0};
}

/* Where the key is or would go. */
static struct move_entry *
place(const struct move_map *map, const struct hash *key)
{
	size_t at = (size_t)key->words[0] & (map->capacity - 1);

	while (map->entries[at].generation != 0 && !hash_equal(&map->entries[at].key, key))
		at = (at + 1) & (map->capacity - 1);
	return &map->entries[at];
}

struct move_entry *
move_map_find(struct move_map *map, const struct hash *key)
{
	struct move_entry *entry = map->capacity ? place(map, key) : NULL;

	return entry && entry->generation != 0 ? entry : NULL;
}

static void
grow(struct move_map *map)
{
	struct move_map larger = {.capacity = map->capacity ? 2 * map->capacity : FIRST_CAPACITY, .n = map->n};

	larger.entries = calloc(larger.capacity, sizeof *larger.entries);
	if (!larger.entries)
		abort();
	for (size_t i = 0; i < map->capacity; i++)
		if (map->entries[i].generation != 0)
			*place(&larger, &map->entries[i].key) = map->entries[i];
	free(map->entries);
	*map = larger;
}

struct move_entry *
move_map_add(struct move_map *map, const struct hash *key, uint32_t generation)
{
	struct move_entry *entry;

	if (4 * (map->n + 1) > 3 * map->capacity)
		grow(map);
	entry = place(map, key);
	*entry = (struct move_entry){.key = *key, .generation = generation};
	map->n++;
	return entry;
}
