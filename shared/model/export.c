/* How a row of an export is written. */
#include "model/export.h"

#include <string.h>

#include "base/clock.h"

static json_t *
text_to_json(const char *name, const char *text)
{
	json_t *json = NULL;

	if (!text)
		return json_null();
	if (strcmp(name, "detail") == 0)
		json = json_loads(text, 0, NULL);
	return json ? json : json_string(text);
}

json_t *
export_row_to_json(const struct export_row *row)
{
	json_t *json = json_pack("{s:s}", "kind", row->kind);
	const char *const *name = row->names;

	if (row->seq)
		json_object_set_new(json, "seq", json_integer(row->seq));
	for (size_t i = 0; *name; i++, name++)
		json_object_set_new(json, *name, text_to_json(*name, row->texts[i]));
	name++;
	for (size_t i = 0; *name; i++, name++) {
		char text[CLOCK_TEXT_SIZE];

		if (row->times_ms[i])
			clock_format(row->times_ms[i], text);
		json_object_set_new(json, *name, row->times_ms[i] ? json_string(text) : json_null());
	}
	for (size_t i = 0; row->number_names && i < EXPORT_NUMBERS_MAX; i++)
		json_object_set_new(json, row->number_names[i], json_integer(row->numbers[i]));
	return json;
}
