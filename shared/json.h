/* Strict decoding of JSON that comes from outside. Encoding is the models' business (x_to_json). */
#ifndef JSON_H
#define JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/status.h"

enum { JSON_DEPTH_MAX = 32 }; /* jansson frees recursively: a nesting bomb would take the stack */

/* Seeds jansson's hash (before threads are made). */
void json_init(void);

/* One JSON object out of `len` bytes: valid UTF-8, no duplicate keys, nesting of at most JSON_DEPTH_MAX, no NUL in strings.
 * ERR_MALFORMED with a sentence that says where, else the caller owns *ret_object. */
MUST_USE enum status json_parse_object(const char *bytes, size_t len, json_t **ret_object, struct fault *ret_fault);

enum json_kind { JSON_KIND_TEXT, JSON_KIND_INT, JSON_KIND_BOOL, JSON_KIND_OBJECT, JSON_KIND_ARRAY };

/* One allowed key of an object and where its value goes: const char ** | int64_t * | bool * | json_t ** (borrowed).
 * Text lives as long as the json_t does. A missing or null optional key leaves the target alone; null for a required one
 * is malformed. Integers beyond ±(2^53 - 1) are malformed. */
struct json_field {
	const char *name;
	enum json_kind kind;
	bool required;
	void *target;
};

/* Decodes an object: an unknown key (code unknown_key), a missing one (missing_key), a wrong type (wrong_type) is
 * ERR_MALFORMED with the field named (copied into `arena`, which also is where fault->field points). An unknown key is named
 * only when it is [a-z0-9_]{1,64}, else the field is NULL. */
MUST_USE enum status json_decode(const json_t *object, const struct json_field *fields, size_t n_fields,
				 struct arena *arena, struct fault *ret_fault);

/* Compact text of `value` in malloc memory (never NULL: out of memory aborts). Takes the json. */
char *json_to_text(json_t *value, size_t *ret_len);

static inline void
cleanup_json(json_t **json)
{
	json_decref(*json);
}
#define CLEANUP_JSON CLEANUP(cleanup_json)

#endif
