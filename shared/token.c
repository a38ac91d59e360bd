/* Access tokens, and the file of the key that signs them. libjwt checks the signature only, and takes the algorithm
 * from the token: everything else is checked here. No other file includes jwt.h. */
#include "token.h"

#include <errno.h>
#include <fcntl.h>
#include <jwt.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "metrics.h"

enum { CLOCK_SKEW_MAX_S = 60 };

static const char ISSUER[] = "stonechat"; /* and audience */

static void
cleanup_jwt(jwt_t **jwt)
{
	jwt_free(*jwt);
}

static void
cleanup_arena(struct arena *arena)
{
	arena_finish(arena);
}

/* Writes a new key beside `path` and links it there: whoever comes first wins, and nobody ever reads half a key. */
static int
make_key(const char *folder, const char *path, struct arena *arena)
{
	unsigned char bytes[TOKEN_KEY_BYTES];
	char suffix[ID_SECRET_SIZE];
	const char *temporary;
	bool written;
	int error = 0;

	if (mkdir(folder, 0700) != 0 && errno != EEXIST)
		return errno;
	id_make_secret(suffix); /* also initialises libsodium */
	randombytes_buf(bytes, sizeof bytes);
	temporary = arena_printf(arena, "%s.%.8s", path, suffix);
	CLEANUP_FD int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno;
	errno = ENOSPC; /* of a write that is merely short */
	written = write(fd, bytes, sizeof bytes) == (ssize_t)sizeof bytes && fsync(fd) == 0;
	if (!written || (link(temporary, path) != 0 && errno != EEXIST))
		error = errno;
	unlink(temporary);
	sodium_memzero(bytes, sizeof bytes);
	return error;
}

static enum status
refuse_key(struct fault *ret_fault, const char *path, const char *why)
{
	return fault_set(ret_fault, ERR_UNAVAILABLE, "bad_token_key", NULL, "The key of the access tokens, %s, %s.",
			 path, why);
}

static enum status
read_key(int fd, const char *path, struct token_key *ret_key, struct fault *ret_fault)
{
	unsigned char bytes[TOKEN_KEY_BYTES + 1];
	struct stat info;
	ssize_t len;

	if (fstat(fd, &info) != 0)
		return refuse_key(ret_fault, path, strerror(errno));
	if ((info.st_mode & 077) != 0)
		return refuse_key(ret_fault, path, "can be read by others: chmod 600");
	len = read(fd, bytes, sizeof bytes);
	if (len != TOKEN_KEY_BYTES)
		return refuse_key(ret_fault, path, "is not 32 bytes long: delete it to get a new one");
	memcpy(ret_key->bytes, bytes, TOKEN_KEY_BYTES);
	sodium_memzero(bytes, sizeof bytes);
	return OK;
}

enum status
token_key_load(const char *data, struct token_key *ret_key, struct fault *ret_fault)
{
	CLEANUP(cleanup_arena) struct arena arena = {0};
	const char *folder = arena_printf(&arena, "%s/keys", data);
	const char *path = arena_printf(&arena, "%s/token.key", folder);
	int error;

	if (access(path, F_OK) != 0 && errno == ENOENT) {
		error = make_key(folder, path, &arena);
		if (error != 0)
			return refuse_key(ret_fault, path, arena_printf(&arena, "can't be made: %s", strerror(error)));
	}
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return refuse_key(ret_fault, path, arena_printf(&arena, "can't be read: %s", strerror(errno)));
	return read_key(fd, path, ret_key, ret_fault);
}

static bool
add_claims(jwt_t *jwt, const struct token_key *key, const struct token_claims *claims)
{
	return jwt_add_grant(jwt, "iss", ISSUER) == 0 && jwt_add_grant(jwt, "aud", ISSUER) == 0 &&
	       jwt_add_grant(jwt, "sub", claims->user_id) == 0 && jwt_add_grant(jwt, "sid", claims->session_id) == 0 &&
	       jwt_add_grant_int(jwt, "iat", (long)claims->issued_at_s) == 0 &&
	       jwt_add_grant_int(jwt, "exp", (long)claims->expires_at_s) == 0 &&
	       jwt_set_alg(jwt, JWT_ALG_HS256, key->bytes, TOKEN_KEY_BYTES) == 0;
}

enum status
token_make(const struct token_key *key, const struct token_claims *claims, char ret_token[TOKEN_SIZE])
{
	CLEANUP(cleanup_jwt) jwt_t *jwt = NULL;
	CLEANUP_FREE char *text = NULL;

	if (jwt_new(&jwt) != 0)
		abort();
	if (!add_claims(jwt, key, claims))
		return ERR_INTERNAL;
	text = jwt_encode_str(jwt);
	if (text == NULL || strlen(text) >= TOKEN_SIZE)
		return ERR_INTERNAL;
	memcpy(ret_token, text, strlen(text) + 1);
	return OK;
}

static bool
has_text(jwt_t *jwt, const char *claim, const char *wanted)
{
	const char *text = jwt_get_grant(jwt, claim);

	return text != NULL && strcmp(text, wanted) == 0;
}

/* False when the claim is missing (-1 here) or no integer (0). */
static bool
get_time(jwt_t *jwt, const char *claim, int64_t *ret_s)
{
	*ret_s = jwt_get_grant_int(jwt, claim);
	return *ret_s > 0;
}

enum status
token_verify(const struct token_key *key, const char *token, int64_t now_s, struct token_claims *ret_claims,
	     struct fault *ret_fault)
{
	CLEANUP(cleanup_jwt) jwt_t *jwt = NULL;
	struct token_claims claims;

	if (token == NULL || strnlen(token, TOKEN_SIZE) == TOKEN_SIZE ||
	    jwt_decode(&jwt, token, key->bytes, TOKEN_KEY_BYTES) != 0 || jwt_get_alg(jwt) != JWT_ALG_HS256 ||
	    !has_text(jwt, "iss", ISSUER) || !has_text(jwt, "aud", ISSUER) ||
	    !id_normalize(jwt_get_grant(jwt, "sub"), claims.user_id) ||
	    !id_normalize(jwt_get_grant(jwt, "sid"), claims.session_id) || !get_time(jwt, "iat", &claims.issued_at_s) ||
	    !get_time(jwt, "exp", &claims.expires_at_s) || claims.issued_at_s > now_s + CLOCK_SKEW_MAX_S) {
		metrics_add(METRIC_TOKENS_REFUSED, 1);
		return fault_set(ret_fault, ERR_UNAUTHORIZED, "token_invalid", NULL, "The access token is not valid.");
	}
	if (claims.expires_at_s <= now_s)
		return fault_set(ret_fault, ERR_UNAUTHORIZED, "token_expired", NULL, "The access token has expired.");
	*ret_claims = claims;
	return OK;
}

enum status
token_verify_cached(struct token_cache *cache, const struct token_key *key, const char *token, int64_t now_s,
		    struct token_claims *ret_claims, struct fault *ret_fault)
{
	size_t len = strlen(token);
	size_t slot = len ? (unsigned char)token[len > 1 ? len - 2 : 0] % TOKEN_CACHE_SLOTS : 0; /* of the signature */

	if (len > 0 && len < TOKEN_SIZE && strcmp(cache->slots[slot].token, token) == 0 &&
	    now_s < cache->slots[slot].claims.expires_at_s) {
		*ret_claims = cache->slots[slot].claims;
		return OK;
	}
	TRY(token_verify(key, token, now_s, ret_claims, ret_fault));
	if (len < TOKEN_SIZE) {
		memcpy(cache->slots[slot].token, token, len + 1);
		cache->slots[slot].claims = *ret_claims;
	}
	return OK;
}

void
token_personal_make(char ret_token[TOKEN_PERSONAL_SIZE], char ret_prefix[TOKEN_PERSONAL_PREFIX_SIZE])
{
	char secret[ID_SECRET_SIZE];

	id_make_secret(secret); /* also initialises libsodium */
	snprintf(ret_prefix, TOKEN_PERSONAL_PREFIX_SIZE, TOKEN_PERSONAL_START "%08x", randombytes_random());
	snprintf(ret_token, TOKEN_PERSONAL_SIZE, "%s_%s", ret_prefix, secret);
}

bool
token_is_personal(const char *token)
{
	return strncmp(token, TOKEN_PERSONAL_START, sizeof TOKEN_PERSONAL_START - 1) == 0;
}

static size_t
family_len(const char *token)
{
	const char *dot = strchr(token, '.');

	return dot ? (size_t)(dot - token) : strlen(token);
}

void
token_refresh_make(char ret_token[TOKEN_REFRESH_SIZE])
{
	char family[ID_SECRET_SIZE], secret[ID_SECRET_SIZE];

	id_make_secret(family);
	id_make_secret(secret);
	snprintf(ret_token, TOKEN_REFRESH_SIZE, "%s.%s", family, secret);
}

void
token_refresh_successor(const struct token_key *key, const char *token, char ret_successor[TOKEN_REFRESH_SIZE])
{
	unsigned char mac[crypto_generichash_BYTES];
	char secret[sodium_base64_ENCODED_LEN(sizeof mac, sodium_base64_VARIANT_URLSAFE_NO_PADDING)];
	size_t len = family_len(token);

	if (len >= ID_SECRET_SIZE)
		len = ID_SECRET_SIZE - 1; /* no token of ours: it will not be found */
	crypto_generichash(mac, sizeof mac, (const unsigned char *)token, strlen(token), key->bytes, sizeof key->bytes);
	sodium_bin2base64(secret, sizeof secret, mac, sizeof mac, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	snprintf(ret_successor, TOKEN_REFRESH_SIZE, "%.*s.%s", (int)len, token, secret);
}

void
token_refresh_hash(const char *token, char ret_hash[ID_SECRET_SIZE], char ret_family_hash[ID_SECRET_SIZE])
{
	id_hash_secret(token, strlen(token), ret_hash);
	id_hash_secret(token, family_len(token), ret_family_hash);
}
