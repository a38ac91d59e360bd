/* Decoding of JSON from outside. jansson checks UTF-8, duplicate keys and NUL; the nesting is counted before it parses.
 * No sentence written here repeats what the client sent, because a body may hold a password; an unknown key is repeated when
 * it looks like one of ours ([a-z0-9_]{1,64}). */
#include "json.h"

#include <assert.h>
#include <string.h>

static const json_int_t INT53_MAX = ((json_int_t)1 << 53) - 1;

enum { UNKNOWN_KEY_SHOWN_BYTES = 64 };

void
json_init(void)
{
	json_object_seed(0);
}

static bool
is_too_deep(const char *bytes, size_t len)
{
	bool in_text = false;
	int depth = 0;

	for (size_t i = 0; i < len; i++) {
		char byte = bytes[i];

		if (in_text && byte == '\\')
			i++;
		else if (byte == '"')
			in_text = !in_text;
		else if (!in_text && (byte == '{' || byte == '['))
			depth++;
		else if (!in_text && (byte == '}' || byte == ']'))
			depth--;
		if (depth > JSON_DEPTH_MAX)
			return true;
	}
	return false;
}

static const char *
describe(enum json_error_code code)
{
	if (code == json_error_invalid_utf8)
		return "invalid UTF-8";
	if (code == json_error_premature_end_of_input)
		return "it ends too early";
	if (code == json_error_end_of_input_expected)
		return "something follows its end";
	if (code == json_error_null_character || code == json_error_null_byte_in_key)
		return "a NUL character";
	if (code == json_error_duplicate_key)
		return "a key stands twice in one object";
	if (code == json_error_numeric_overflow)
		return "a number is too big";
	return "a syntax error";
}

enum status
json_parse_object(const char *bytes, size_t len, json_t **ret_object, struct fault *ret_fault)
{
	json_error_t error;
	json_t *value;

	if (is_too_deep(bytes, len))
		return fault_set(ret_fault, ERR_MALFORMED, "invalid_json", NULL,
				 "The JSON is nested deeper than %d levels.", JSON_DEPTH_MAX);
	value = json_loadb(len == 0 ? "" : bytes, len, JSON_REJECT_DUPLICATES, &error);
	if (value == NULL)
		return fault_set(ret_fault, ERR_MALFORMED, "invalid_json", NULL,
				 "This is not a JSON object: line %d, column %d: %s.", error.line, error.column,
				 describe(json_error_code(&error)));
	if (!json_is_object(value)) {
		json_decref(value);
		return fault_set(ret_fault, ERR_MALFORMED, "invalid_json", NULL,
				 "The JSON must be an object at its top level.");
	}
	*ret_object = value;
	return OK;
}

static const struct json_field *
find_field(const char *name, const struct json_field *fields, size_t n_fields)
{
	for (size_t i = 0; i < n_fields; i++) {
		if (strcmp(fields[i].name, name) == 0)
			return &fields[i];
	}
	return NULL;
}

/* Whether a key that the client made up looks like a name: everything else is not repeated. */
static bool
is_showable(const char *key)
{
	size_t len = strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return len > 0 && len <= UNKNOWN_KEY_SHOWN_BYTES && key[len] == '\0';
}

static enum status
refuse_key(const char *key, struct arena *arena, struct fault *ret_fault)
{
	if (!is_showable(key))
		return fault_set(ret_fault, ERR_MALFORMED, "unknown_key", NULL,
				 "One of the keys is not known here; leave it out.");
	return fault_set(ret_fault, ERR_MALFORMED, "unknown_key", arena_strdup(arena, key),
			 "The key \"%s\" is not known here; leave it out.", key);
}

static const char *
kind_name(enum json_kind kind)
{
	static const char *const names[] = {
		[JSON_KIND_TEXT] = "a string",      [JSON_KIND_INT] = "an integer from -(2^53 - 1) to 2^53 - 1",
		[JSON_KIND_BOOL] = "true or false", [JSON_KIND_OBJECT] = "an object",
		[JSON_KIND_ARRAY] = "an array",
	};

	return names[kind];
}

static bool
is_small_integer(const json_t *value)
{
	return json_is_integer(value) && json_integer_value(value) >= -INT53_MAX &&
	       json_integer_value(value) <= INT53_MAX;
}

/* False, and nothing stored, when the value is of another kind. */
static bool
store_value(const struct json_field *field, json_t *value)
{
	bool fits = false;

	switch (field->kind) {
	case JSON_KIND_TEXT:
		if ((fits = json_is_string(value)))
			*(const char **)field->target = json_string_value(value);
		break;
	case JSON_KIND_INT:
		if ((fits = is_small_integer(value)))
			*(int64_t *)field->target = json_integer_value(value);
		break;
	case JSON_KIND_BOOL:
		if ((fits = json_is_boolean(value)))
			*(bool *)field->target = json_boolean_value(value);
		break;
	case JSON_KIND_OBJECT:
		if ((fits = json_is_object(value)))
			*(json_t **)field->target = value;
		break;
	case JSON_KIND_ARRAY:
		if ((fits = json_is_array(value)))
			*(json_t **)field->target = value;
		break;
	}
	return fits;
}

static enum status
decode_field(const json_t *object, const struct json_field *field, struct arena *arena, struct fault *ret_fault)
{
	json_t *value = json_object_get(object, field->name);

	if (!field->required && (value == NULL || json_is_null(value)))
		return OK;
	if (value == NULL)
		return fault_set(ret_fault, ERR_MALFORMED, "missing_key", arena_strdup(arena, field->name),
				 "The key \"%s\" is required.", field->name);
	if (!store_value(field, value))
		return fault_set(ret_fault, ERR_MALFORMED, "wrong_type", arena_strdup(arena, field->name),
				 "The value of \"%s\" must be %s.", field->name, kind_name(field->kind));
	return OK;
}

enum status
json_decode(const json_t *object, const struct json_field *fields, size_t n_fields, struct arena *arena,
	    struct fault *ret_fault)
{
	const char *key;
	json_t *value;

	assert(json_is_object(object));
	json_object_foreach ((json_t *)object, key, value) {
		if (find_field(key, fields, n_fields) == NULL)
			return refuse_key(key, arena, ret_fault);
	}
	for (size_t i = 0; i < n_fields; i++)
		TRY(decode_field(object, &fields[i], arena, ret_fault));
	return OK;
}

char *
json_to_text(json_t *value, size_t *ret_len)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	if (text == NULL)
		abort(); /* out of memory, or a json_t that failed to be built */
	json_decref(value);
	if (ret_len != NULL)
		*ret_len = strlen(text);
	return text;
}
