/* Who has read a message: the OpenAPI schema Readers. */
#ifndef MODEL_READERS_H
#define MODEL_READERS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"

struct message_reader {
	char user_id[ID_SIZE];
	const char *username, *display_name;
};

/* Without the sender. Above CONVERSATION_CLOSE_MAX members they are only counted. */
struct readers {
	struct message_reader *items; /* by username */
	size_t n_items;
	int64_t count; /* of all pages */
	bool has_more;
};

/* {items: [{user_id, username, display_name}], count}; the caller adds next_cursor. */
json_t *readers_to_json(const struct readers *readers);

#endif
