/* Access tokens: JWT HS256 (RFC 7519) by libjwt, with every claim checked here, and the key they are signed with. */
#ifndef TOKEN_H
#define TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"
#include "base/status.h"

enum { TOKEN_KEY_BYTES = 32, TOKEN_SIZE = 512 };

struct token_key {
	unsigned char bytes[TOKEN_KEY_BYTES];
};

struct token_claims {
	char user_id[ID_SIZE];    /* sub */
	char session_id[ID_SIZE]; /* sid */
	int64_t issued_at_s;      /* iat */
	int64_t expires_at_s;     /* exp */
};

/* Reads `<data>/keys/token.key`, making it (mode 0600, its folder 0700) when it is not there; safe when several programs
 * start at once. ERR_UNAVAILABLE with a sentence when it cannot be read, is too short or is readable by others. */
MUST_USE enum status token_key_load(const char *data, struct token_key *ret_key, struct fault *ret_fault);

/* Signs the claims with iss and aud "stonechat". */
MUST_USE enum status token_make(const struct token_key *key, const struct token_claims *claims,
				char ret_token[TOKEN_SIZE]);

/* Verifies signature, algorithm (HS256 only), iss, aud, exp (no leeway), iat (at most 60 s ahead), sub and sid (UUIDs).
 * ERR_UNAUTHORIZED with code `token_expired` or `token_invalid`. */
MUST_USE enum status token_verify(const struct token_key *key, const char *token, int64_t now_s,
				  struct token_claims *ret_claims, struct fault *ret_fault);

/* Tokens that were verified lately, so that somebody who asks again and again pays for the signature once. One per thread; an
 * all-zero one is valid. */
enum { TOKEN_CACHE_SLOTS = 16 };

struct token_cache {
	struct {
		char token[TOKEN_SIZE]; /* "": free */
		struct token_claims claims;
	} slots[TOKEN_CACHE_SLOTS];
};

/* token_verify, with what the cache knows already. Expiry is looked at each time. */
MUST_USE enum status token_verify_cached(struct token_cache *cache, const struct token_key *key, const char *token,
					 int64_t now_s, struct token_claims *ret_claims, struct fault *ret_fault);

/* Refresh tokens: `<family>.<secret>`, both as id_make_secret makes them. The family is the session's for life; the secret
 * changes at each use. A successor is derived from the token it replaces and the key, so that a repetition whose first answer
 * was lost, or two tabs at once, get the same one. */
enum { TOKEN_REFRESH_SIZE = 2 * ID_SECRET_SIZE };

/* Personal access tokens: `stonechat_pat_<8 hex digits>_<secret of 256 bits>`, a form that secret scanners find. */
#define TOKEN_PERSONAL_START "stonechat_pat_"
enum {
	TOKEN_PERSONAL_PREFIX_SIZE = sizeof TOKEN_PERSONAL_START + 8, /* what is shown of it */
	TOKEN_PERSONAL_SIZE = TOKEN_PERSONAL_PREFIX_SIZE + ID_SECRET_SIZE,
};

void token_personal_make(char ret_token[TOKEN_PERSONAL_SIZE], char ret_prefix[TOKEN_PERSONAL_PREFIX_SIZE]);
bool token_is_personal(const char *token);

void token_refresh_make(char ret_token[TOKEN_REFRESH_SIZE]);
void token_refresh_successor(const struct token_key *key, const char *token, char ret_successor[TOKEN_REFRESH_SIZE]);

/* How both are stored: hashes of the whole token and of its family (of all of it, when it has no such form). */
void token_refresh_hash(const char *token, char ret_hash[ID_SECRET_SIZE], char ret_family_hash[ID_SECRET_SIZE]);

#endif
