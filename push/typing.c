/* A table of the last three seconds: all entries live equally long, so the oldest is the first of a list. */
#include "typing.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "base/id.h"

struct said {
	char key[2 * ID_LEN]; /* conversation, person */
	UT_hash_handle hh;
	int64_t until_ms;
	struct said *prev, *next;
};

struct typing {
	struct said *by_key;
	struct said *oldest;
};

struct typing *
typing_create(void)
{
	struct typing *typing = calloc(1, sizeof *typing);

	if (!typing)
		abort();
	return typing;
}

static void
forget_until(struct typing *typing, int64_t now_ms)
{
	struct said *said;

	while ((said = typing->oldest) != NULL && said->until_ms <= now_ms) {
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc,clang-analyzer-core.NullDereference): it cannot follow the macro's links */
		DL_DELETE(typing->oldest, said);
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc,clang-analyzer-core.NullDereference): it cannot follow the macro's links */
		HASH_DEL(typing->by_key, said);
		free(said);
	}
}

void
typing_destroy(struct typing *typing)
{
	if (!typing)
		return;
	forget_until(typing, INT64_MAX);
	free(typing);
}

bool
typing_take(struct typing *typing, const char *conversation_id, const char *user_id, int64_t now_ms)
{
	char key[2 * ID_LEN];
	struct said *said;

	forget_until(typing, now_ms);
	memcpy(key, conversation_id, ID_LEN);
	memcpy(key + ID_LEN, user_id, ID_LEN);
	HASH_FIND(hh, typing->by_key, key, sizeof key, said);
	if (said)
		return false;
	said = calloc(1, sizeof *said);
	if (!said)
		abort();
	memcpy(said->key, key, sizeof key);
	said->until_ms = now_ms + TYPING_RESEND_MS;
	HASH_ADD(hh, typing->by_key, key, sizeof said->key, said);
	DL_APPEND(typing->oldest, said);
	return true;
}
