/* SipHash-2-4 with 128 bits: see hash.h. */
#include "base/hash.h"

#include <sodium.h>
#include <string.h>

_Static_assert(HASH_KEY_BYTES == crypto_shorthash_siphashx24_KEYBYTES, "the key is the algorithm's");
_Static_assert(sizeof(struct hash) == crypto_shorthash_siphashx24_BYTES, "the hash is the algorithm's");

void
hash_key_make(struct hash_key *ret_key)
{
	randombytes_buf(ret_key->bytes, sizeof ret_key->bytes);
}

struct hash
hash_of(const struct hash_key *key, const void *bytes, size_t len)
{
	struct hash hash;

	crypto_shorthash_siphashx24((unsigned char *)hash.words, bytes, len, key->bytes);
	return hash;
}

bool
hash_equal(const struct hash *a, const struct hash *b)
{
	return a->words[0] == b->words[0] && a->words[1] == b->words[1];
}

void
hash_add(struct hash *sum, const struct hash *hash)
{
	sum->words[0] += hash->words[0];
	sum->words[1] += hash->words[1];
}
