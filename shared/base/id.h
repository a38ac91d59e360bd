/* Identifiers: UUIDs as lower-case text (RFC 9562), random secrets as base64url text. */
#ifndef BASE_ID_H
#define BASE_ID_H

#include <stdbool.h>
#include <stddef.h>

enum { ID_LEN = 36, ID_SIZE = ID_LEN + 1 };

/* A new UUIDv7: sorts by time of making, to the millisecond, and in the order of making within one thread
 * (RFC 9562 5.7 and 6.2, method 1). */
void id_make(char ret_id[ID_SIZE]);

/* Whether it is a UUID of any version in the 8-4-4-4-12 form, in either case. */
bool id_is_valid(const char *text);

/* Writes the lower-case form; false, and nothing written, when it is not a UUID. */
bool id_normalize(const char *text, char ret_id[ID_SIZE]);

/* The conversation of two people (or of one with themselves): UUIDv5 over `lower id:higher id` in a namespace of ours,
 * so that it can be addressed without looking it up (RFC 9562 5.5). Both ids must be valid, in either case. */
#define ID_DIRECT_NAMESPACE "3f431a70-09b3-40ee-8703-4585ada8b40e"
void id_direct_conversation(const char *user_id, const char *other_user_id, char ret_id[ID_SIZE]);

/* base64url without padding of 32 random bytes: refresh tokens. */
enum { ID_SECRET_SIZE = 44 };
void id_make_secret(char ret_secret[ID_SECRET_SIZE]);

/* A code or password that people copy, to be shown once: 22 such characters, 132 random bits; never begins with '-'. */
enum { ID_CODE_SIZE = 23 };
void id_make_code(char ret_code[ID_CODE_SIZE]);

/* base64url without padding of BLAKE2b-256 of `len` bytes: how a secret is stored. */
void id_hash_secret(const char *secret, size_t len, char ret_hash[ID_SECRET_SIZE]);

/* base64url without padding of BLAKE2b-128 over the parts, each preceded by its length: the digest that decides whether
 * a repeated message id means the same message. A NULL part differs from an empty one. */
enum { ID_DIGEST_SIZE = 23 };
void id_digest(const char *const *parts, size_t n_parts, char ret_digest[ID_DIGEST_SIZE]);

#endif
