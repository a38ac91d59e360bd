/* A database in memory's file system with three people and a little history, the same for every input.
 *
 * Ann and Bob have talked with each other; Eve has talked with nobody. What an input cannot know (ids, tokens) it names by two
 * letters that place_expand replaces. */
#ifndef PLACE_H
#define PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/id.h"
#include "model/event.h"
#include "token.h"

enum { PLACE_ANN, PLACE_BOB, PLACE_EVE, PLACE_PEOPLE };

struct place {
	char folder[128];
	char url[192];
	struct token_key key;
	char epoch[EVENT_EPOCH_SIZE];
	char user_id[PLACE_PEOPLE][ID_SIZE];
	char session_id[PLACE_PEOPLE][ID_SIZE]; /* of the tokens below */
	char access_token[PLACE_PEOPLE][TOKEN_SIZE];
	char refresh_token[PLACE_PEOPLE][TOKEN_REFRESH_SIZE];
	char other_session_id[ID_SIZE]; /* Ann's second one */
	char conversation_id[ID_SIZE];  /* of Ann and Bob */
	char message_id[2][ID_SIZE];    /* Ann's and Bob's */

	char *image; /* the file of the database as it was at first */
	size_t image_len;
};

/* Makes it; the folder goes when the process exits. Everybody's password is PLACE_PASSWORD, hashed by place_hash. */
#define PLACE_PASSWORD "correct horse battery"
void place_create(struct place *place);

/* What stands for Argon2id here, which takes tens of milliseconds on purpose. */
void place_hash(const char *password, char *ret_hash, size_t size);

/* How often the database was written to, as far as its log tells: two that are the same mean that nothing was committed. */
int64_t place_mark(const struct place *place);

/* Puts the database back to what it was at first. No connection may be open. */
void place_restore(const struct place *place);

/* A copy of the input, NUL-terminated, in which
 *
 * $a $b $e  are the ids of Ann, Bob and Eve      $m $n  of Ann's and of Bob's message
 * $c        is that of their conversation        $s     of Ann's other session
 * $t $u     are Ann's and Bob's access tokens    $r     is Ann's refresh token          $k  the database's epoch */
char *place_expand(const struct place *place, struct arena *arena, const char *bytes, size_t len, size_t *ret_len);

#endif
