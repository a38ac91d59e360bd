/* Access tokens, refresh tokens and the headers that carry them. The first byte of the input says what the rest is:
 *
 * R  a token as somebody might send it
 * S  a header and claims, two lines, to be signed with the right key by HS256 (T: by HS512; U: not signed)
 * F  a refresh token
 * C  a Cookie header
 *
 * Whether a signature is right is asked of libsodium, not of the library that token.c uses. */
#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include "app.h"
#include "auth.h"
#include "base/arena.h"
#include "base/text.h"
#include "cookie.h"
#include "fuzz.h"
#include "grant.h"
#include "json.h"
#include "req.h"
#include "token.h"

#define ANN "0190a5e2-0000-7000-8000-00000000000a"
#define SESSION "0190a5e2-0000-7000-8000-00000000000b"

enum { NOW_S = 1770000000, BASE64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING };

static const struct token_key key = {.bytes = {1, 2, 3, 4, 5, 6, 7, 8}};

static const char *
base64url(struct arena *arena, const void *bytes, size_t len)
{
	size_t size = sodium_base64_encoded_len(len, BASE64);

	return sodium_bin2base64(arena_alloc(arena, size), size, bytes, len, BASE64);
}

static const char *
mac_of(struct arena *arena, const char *signed_part, size_t len, char algorithm)
{
	unsigned char mac[crypto_auth_hmacsha512_BYTES];

	if (algorithm == 'U')
		return "";
	if (algorithm == 'T') {
		crypto_auth_hmacsha512(mac, (const unsigned char *)signed_part, len, key.bytes);
		return base64url(arena, mac, crypto_auth_hmacsha512_BYTES);
	}
	crypto_auth_hmacsha256(mac, (const unsigned char *)signed_part, len, key.bytes);
	return base64url(arena, mac, crypto_auth_hmacsha256_BYTES);
}

static const char *
sign(struct arena *arena, const char *text, size_t len, char algorithm)
{
	const char *newline = memchr(text, '\n', len);
	size_t header_len = newline ? (size_t)(newline - text) : len;
	const char *claims = newline ? newline + 1 : text + len;
	const char *part = arena_printf(arena, "%s.%s", base64url(arena, text, header_len),
					base64url(arena, claims, (size_t)(text + len - claims)));

	return arena_printf(arena, "%s.%s", part, mac_of(arena, part, strlen(part), algorithm));
}

/* The JSON of one part of a token, by libsodium and jansson; NULL when it is none. Like the library it ends at a NUL. */
static json_t *
part_of(struct arena *arena, const char *part, size_t len)
{
	unsigned char *bytes = arena_alloc(arena, len + 1);
	size_t n;

	if (sodium_base642bin(bytes, len, part, len, NULL, &n, NULL, BASE64) != 0)
		return NULL;
	return json_loads((const char *)bytes, 0, NULL);
}

static bool
is_text(const json_t *json, const char *name, const char *wanted)
{
	const char *text = json_string_value(json_object_get(json, name));

	return text && strcasecmp(text, wanted) == 0;
}

/* What must be true of a token that was accepted, found out another way. */
static void
check_accepted(struct arena *arena, const char *token, const struct token_claims *claims)
{
	const char *first = strchr(token, '.'), *second = first ? strchr(first + 1, '.') : NULL;

	CHECK(second, "%s", token);
	CHECK(strcmp(second + 1, mac_of(arena, token, (size_t)(second - token), 'S')) == 0, "%s", token);

	CLEANUP_JSON json_t *header = part_of(arena, token, (size_t)(first - token));
	CLEANUP_JSON json_t *body = part_of(arena, first + 1, (size_t)(second - first - 1));
	CHECK(is_text(header, "alg", "HS256"), "%s", token);
	CHECK(is_text(body, "iss", "stonechat") && is_text(body, "aud", "stonechat"), "%s", token);
	CHECK(is_text(body, "sub", claims->user_id) && is_text(body, "sid", claims->session_id), "%s", token);
	CHECK(json_integer_value(json_object_get(body, "exp")) == claims->expires_at_s, "%s", token);
	CHECK(claims->expires_at_s > NOW_S && claims->issued_at_s > 0 && claims->issued_at_s <= NOW_S + 60, "%s",
	      token);
	CHECK(id_is_valid(claims->user_id) && id_is_valid(claims->session_id), "%s", token);
}

static bool
are_same(const struct token_claims *a, const struct token_claims *b)
{
	return strcmp(a->user_id, b->user_id) == 0 && strcmp(a->session_id, b->session_id) == 0 &&
	       a->issued_at_s == b->issued_at_s && a->expires_at_s == b->expires_at_s;
}

static void
check_cache(const char *token, enum status status, const struct token_claims *claims)
{
	static struct token_cache cache; /* across inputs: what one has left in it must not help another */

	for (int i = 0; i < 2; i++) {
		struct token_claims cached = {.user_id = "untouched"};

		CHECK(token_verify_cached(&cache, &key, token, NOW_S, &cached, NULL) == status, "%s", token);
		CHECK(are_same(&cached, claims), "%s", token);
	}
}

static void
check_token(struct arena *arena, const char *token)
{
	struct token_claims claims = {.user_id = "untouched"}, again, before = claims;
	struct fault fault = {0};
	char made[TOKEN_SIZE];

	enum status status = token_verify(&key, token, NOW_S, &claims, &fault);
	check_cache(token, status, &claims);
	if (status != OK) {
		CHECK(status == ERR_UNAUTHORIZED && are_same(&claims, &before), "%s", token);
		CHECK(strcmp(fault.code, "token_invalid") == 0 || strcmp(fault.code, "token_expired") == 0, "%s",
		      fault.code);
		return;
	}
	check_accepted(arena, token, &claims);
	CHECK(token_make(&key, &claims, made) == OK && token_verify(&key, made, NOW_S, &again, NULL) == OK, "%s",
	      token);
	CHECK(are_same(&again, &claims), "%s", token);
}

/* The server's way to a token in a header. */
static void
check_bearer(struct app *app, struct arena *arena, const char *token)
{
	static struct reader reader;
	const char *params[] = {arena_printf(arena, "HTTP_AUTHORIZATION=Bearer %s", token), NULL};
	struct req req = {0};
	struct token_claims claims;

	req_begin(&req, app, &reader, params);
	CHECK(auth_claims(&req, &claims) == ERR_UNAUTHORIZED || token[strspn(token, " ")], "%s", token);
	req_end(&req);
	arena_finish(&req.arena);
}

/* A successor is of the same family, the same each time, and shaped like every token of ours. */
static void
check_refresh_token(const char *token)
{
	char next[TOKEN_REFRESH_SIZE], same[TOKEN_REFRESH_SIZE], last[TOKEN_REFRESH_SIZE];
	char hash[ID_SECRET_SIZE], family[ID_SECRET_SIZE], next_hash[ID_SECRET_SIZE], next_family[ID_SECRET_SIZE];
	size_t family_len = strcspn(token, ".");

	token_refresh_successor(&key, token, next);
	token_refresh_successor(&key, token, same);
	token_refresh_successor(&key, next, last);
	token_refresh_hash(token, hash, family);
	token_refresh_hash(next, next_hash, next_family);
	CHECK(strcmp(next, same) == 0, "%s and %s", next, same);
	CHECK(strcmp(next, token) != 0 && strcmp(next, last) != 0 && strcmp(hash, next_hash) != 0, "%s", token);
	CHECK(strlen(strrchr(next, '.')) == ID_SECRET_SIZE, "%s", next);
	CHECK(family_len >= ID_SECRET_SIZE || strcmp(family, next_family) == 0, "%s", token);
}

/* What is found in the cookie stands there, and a successor of it can be set. */
static void
check_cookie(struct app *app, struct arena *arena, const char *header)
{
	const char *params[] = {arena_printf(arena, "HTTP_COOKIE=%s", header), NULL};
	struct reader reader = {0};
	struct req req = {0};
	struct grant grant = {0};

	req_begin(&req, app, &reader, params);
	const char *token = cookie_refresh_token(&req);
	if (token) {
		CHECK(strstr(header, token) && !strchr(token, ';'), "%s", token);
		check_refresh_token(token);
		grant_succeed(&req, &grant, token);
		CHECK(strlen(grant.token) < sizeof grant.token, "%s", token);
	}
	req_end(&req);
	arena_finish(&req.arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct config config = {.port = 8080};
	static struct app app = {.config = &config};
	struct arena arena = {0};
	const char *text;

	if (size == 0 || size > 2 * TOKEN_SIZE)
		return -1;
	app.token_key = key;
	text = arena_memdup(&arena, data + 1, size - 1);
	switch (data[0]) {
	case 'R':
		check_token(&arena, text);
		check_bearer(&app, &arena, text);
		break;
	case 'S':
	case 'T':
	case 'U':
		check_token(&arena, sign(&arena, text, size - 1, (char)data[0]));
		break;
	case 'F':
		check_refresh_token(text);
		break;
	case 'C':
		check_cookie(&app, &arena, text);
		break;
	default:
		arena_finish(&arena);
		return -1;
	}
	arena_finish(&arena);
	return 0;
}
