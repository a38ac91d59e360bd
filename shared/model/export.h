/* A row of what a person takes along: the OpenAPI schema ExportItem. */
#ifndef MODEL_EXPORT_H
#define MODEL_EXPORT_H

#include <jansson.h>
#include <stdint.h>

#include "base/id.h"

enum { EXPORT_TEXTS_MAX = 6, EXPORT_TIMES_MAX = 4, EXPORT_NUMBERS_MAX = 2 };

/* Columns of a table under the names they have there; NULL names end a list. */
struct export_row {
	const char *kind;         /* session, membership, block, reaction, invite, act */
	char key[ID_SIZE];        /* its place in the export; "": has none */
	int64_t seq;              /* of a reaction's message; 0: none */
	const char *const *names; /* of texts (detail is JSON), then NULL, then of times, then NULL */
	const char *texts[EXPORT_TEXTS_MAX];
	int64_t times_ms[EXPORT_TIMES_MAX];
	const char *const *number_names; /* NULL: has none; else two */
	int64_t numbers[EXPORT_NUMBERS_MAX];
};

json_t *export_row_to_json(const struct export_row *row);

#endif
