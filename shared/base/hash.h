/* Hashes under a key that is made anew in each process: to compare rows with what they were, never to be stored or sent. Whoever
 * chooses the content cannot make two of them meet. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HASH_KEY_BYTES = 16 };

struct hash_key {
	uint8_t bytes[HASH_KEY_BYTES];
};

struct hash {
	uint64_t words[2];
};

void hash_key_make(struct hash_key *ret_key);
struct hash hash_of(const struct hash_key *key, const void *bytes, size_t len);
bool hash_equal(const struct hash *a, const struct hash *b);

/* The sum of many hashes tells sets apart, whatever their order. */
void hash_add(struct hash *sum, const struct hash *hash);

#endif
