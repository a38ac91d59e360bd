/* Makes, checks and derives identifiers. libuuid gives SHA-1 names, libsodium random bytes and BLAKE2b. */
#include "base/id.h"

#include <assert.h>
#include <ctype.h>
#include <pthread.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

#include "base/clock.h"

enum { SECRET_BYTES = 32, DIGEST_BYTES = 16, COUNTER_MAX = 0xfff };

static pthread_once_t sodium_once = PTHREAD_ONCE_INIT;

static void
init_sodium(void)
{
	if (sodium_init() < 0)
		abort();
}

static void
random_bytes(void *ret_bytes, size_t len)
{
	pthread_once(&sodium_once, init_sodium); /* its first use is not thread-safe otherwise */
	randombytes_buf(ret_bytes, len);
}

/* The millisecond and the counter of the next id of this thread. The counter starts at a random value below half of its
 * range in each millisecond; when it runs out, or the clock steps back, the millisecond goes on by itself. */
static int64_t
next_tick(unsigned random_start, unsigned *ret_counter)
{
	static _Thread_local int64_t last_ms;
	static _Thread_local unsigned counter;
	int64_t now_ms = clock_wall_ms();

	if (now_ms > last_ms) {
		last_ms = now_ms;
		counter = random_start & (COUNTER_MAX >> 1);
	} else if (counter < COUNTER_MAX) {
		counter++;
	} else {
		last_ms++;
		counter = random_start & (COUNTER_MAX >> 1);
	}
	*ret_counter = counter;
	return last_ms;
}

void
id_make(char ret_id[ID_SIZE])
{
	unsigned char random[10];
	uuid_t id;
	unsigned counter;
	int64_t ms;

	random_bytes(random, sizeof random);
	ms = next_tick(random[0] | (unsigned)random[1] << 8, &counter);
	for (int i = 0; i < 6; i++)
		id[i] = (unsigned char)(ms >> (8 * (5 - i)));
	id[6] = (unsigned char)(0x70 | counter >> 8);
	id[7] = (unsigned char)counter;
	memcpy(id + 8, random + 2, 8);
	id[8] = (unsigned char)((id[8] & 0x3f) | 0x80);
	uuid_unparse_lower(id, ret_id);
}

static bool
is_dash_position(size_t i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

bool
id_is_valid(const char *text)
{
	if (text == NULL)
		return false;
	for (size_t i = 0; i < ID_LEN; i++) {
		if (is_dash_position(i) ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
	}
	return text[ID_LEN] == '\0';
}

bool
id_normalize(const char *text, char ret_id[ID_SIZE])
{
	if (!id_is_valid(text))
		return false;
	for (size_t i = 0; i < ID_SIZE; i++)
		ret_id[i] = (char)tolower((unsigned char)text[i]);
	return true;
}

void
id_direct_conversation(const char *user_id, const char *other_user_id, char ret_id[ID_SIZE])
{
	char one[ID_SIZE] = "";
	char other[ID_SIZE] = "";
	char name[2 * ID_LEN + 2];
	uuid_t namespace, id;
	bool valid = id_normalize(user_id, one) && id_normalize(other_user_id, other) &&
		     uuid_parse(ID_DIRECT_NAMESPACE, namespace) == 0;
	bool ordered = strcmp(one, other) <= 0;

	assert(valid);
	if (!valid)
		abort(); /* a guessed conversation would show one person's messages to another */
	snprintf(name, sizeof name, "%s:%s", ordered ? one : other, ordered ? other : one);
	uuid_generate_sha1(id, namespace, name, strlen(name));
	uuid_unparse_lower(id, ret_id);
}

static void
to_base64url(const unsigned char *bytes, size_t len, char *ret_text, size_t size)
{
	sodium_bin2base64(ret_text, size, bytes, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

void
id_make_secret(char ret_secret[ID_SECRET_SIZE])
{
	unsigned char bytes[SECRET_BYTES];

	random_bytes(bytes, sizeof bytes);
	to_base64url(bytes, sizeof bytes, ret_secret, ID_SECRET_SIZE);
	sodium_memzero(bytes, sizeof bytes);
}

void
id_make_code(char ret_code[ID_CODE_SIZE])
{
	char secret[ID_SECRET_SIZE];

	do
		id_make_secret(secret);
	while (secret[0] == '-'); /* it would be taken for an option of a command */
	memcpy(ret_code, secret, ID_CODE_SIZE - 1);
	ret_code[ID_CODE_SIZE - 1] = '\0';
	sodium_memzero(secret, sizeof secret);
}

void
id_hash_secret(const char *secret, size_t len, char ret_hash[ID_SECRET_SIZE])
{
	unsigned char hash[SECRET_BYTES];

	crypto_generichash(hash, sizeof hash, (const unsigned char *)secret, len, NULL, 0);
	to_base64url(hash, sizeof hash, ret_hash, ID_SECRET_SIZE);
}

/* The length goes first, so that no two lists of parts give the same bytes; no part is as long as the mark of NULL. */
static void
digest_part(crypto_generichash_state *state, const char *part)
{
	uint64_t len = part == NULL ? UINT64_MAX : strlen(part);
	unsigned char prefix[8];

	for (int i = 0; i < 8; i++)
		prefix[i] = (unsigned char)(len >> (8 * i));
	crypto_generichash_update(state, prefix, sizeof prefix);
	if (part != NULL)
		crypto_generichash_update(state, (const unsigned char *)part, len);
}

void
id_digest(const char *const *parts, size_t n_parts, char ret_digest[ID_DIGEST_SIZE])
{
	crypto_generichash_state state;
	unsigned char digest[DIGEST_BYTES];

	crypto_generichash_init(&state, NULL, 0, sizeof digest);
	for (size_t i = 0; i < n_parts; i++)
		digest_part(&state, parts[i]);
	crypto_generichash_final(&state, digest, sizeof digest);
	to_base64url(digest, sizeof digest, ret_digest, ID_DIGEST_SIZE);
}
