/* Cursors are `kind number text` in base64url. */
#include "cursor.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "req.h"

enum { CURSOR_MAX = 512 };

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static const char *
encode(struct arena *arena, const char *text)
{
	size_t len = strlen(text), n = 0;
	char *encoded = arena_alloc(arena, len * 4 / 3 + 4);
	unsigned bits = 0, n_bits = 0;

	for (size_t i = 0; i < len; i++) {
		bits = (bits << 8 | (unsigned char)text[i]) & 0xffff;
		for (n_bits += 8; n_bits >= 6; n_bits -= 6)
			encoded[n++] = alphabet[bits >> (n_bits - 6) & 63];
	}
	if (n_bits > 0)
		encoded[n] = alphabet[bits << (6 - n_bits) & 63];
	return encoded;
}

/* NULL when it is not base64url. */
static const char *
decode(struct arena *arena, const char *encoded)
{
	size_t len = strlen(encoded), n = 0;
	char *text = arena_alloc(arena, len + 1);
	unsigned bits = 0, n_bits = 0;

	for (size_t i = 0; i < len; i++) {
		const char *place = strchr(alphabet, encoded[i]);

		if (!place)
			return NULL;
		bits = (bits << 6 | (unsigned)(place - alphabet)) & 0xffff;
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			text[n++] = (char)(bits >> n_bits & 0xff);
		}
	}
	return text_is_utf8(text, n) ? text : NULL;
}

json_t *
cursor_to_json(struct req *req, const char *kind, int64_t number, const char *text)
{
	return json_string(encode(&req->arena, arena_printf(&req->arena, "%s %" PRId64 " %s", kind, number, text)));
}

enum status
cursor_read(struct req *req, const char *cursor, const char *kind, int64_t *number, const char **text)
{
	if (!cursor)
		return OK;

	const char *decoded = strlen(cursor) <= CURSOR_MAX ? decode(&req->arena, cursor) : NULL;
	size_t kind_len = strlen(kind);
	long long value;

	if (decoded && strncmp(decoded, kind, kind_len) == 0 && decoded[kind_len] == ' ') {
		const char *digits = decoded + kind_len + 1;
		size_t n_digits = strcspn(digits, " ");

		if (digits[n_digits] == ' ' && text_to_int64(arena_memdup(&req->arena, digits, n_digits), &value)) {
			*number = value;
			*text = digits + n_digits + 1;
			return OK;
		}
	}
	return fault_set(&req->fault, ERR_MALFORMED, "cursor_invalid", "cursor", "This is not a cursor of this list.");
}
