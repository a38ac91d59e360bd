/* Readers as JSON. */
#include "model/readers.h"

json_t *
readers_to_json(const struct readers *readers)
{
	json_t *items = json_array();

	for (size_t i = 0; i < readers->n_items; i++) {
		const struct message_reader *reader = &readers->items[i];

		json_array_append_new(items, json_pack("{s:s, s:s, s:s}", "user_id", reader->user_id, "username",
						       reader->username, "display_name", reader->display_name));
	}
	return json_pack("{s:o, s:I}", "items", items, "count", (json_int_t)readers->count);
}
