/* What a run of sends asks of the database, for all of them at once: which pass every check, and the numbers they get. */
#ifndef STORE_SENDING_H
#define STORE_SENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id.h"
#include "db/db.h"

struct sending_check {
	const char *session_id, *user_id, *conversation_id, *message_id;
	/* result */
	bool passes;
	char other_id[ID_SIZE];     /* of a direct conversation, when it passes */
	int64_t last_seq, last_rev; /* of the conversation, when it passes: before what is sent now */
};

struct sending_checks {
	struct sending_check *all; /* [n], n > 0 */
	size_t n;
	/* between sending_ask and the end of sending_check */
	struct db_stmt *stmt; /* NULL: not asked */
	size_t n_asked;
	int64_t now_ms;
};

/* Whether the log-in is alive and may write, its person is in the conversation, which is there, slow mode does not concern them, the
 * other one of a direct conversation is there and does not block them, and the message's id is not taken. What does not pass is to be
 * looked at by itself: it may be refused, or be a replay, or make its conversation.
 *
 * Asked as db_ask does, as far as one statement reaches; sending_check waits, and asks for the rest. sending_forget takes the question
 * back; there need be none. */
void sending_ask(struct db *db, struct sending_checks *checks, int64_t now_ms);
MUST_USE enum status sending_check(struct db *db, struct sending_checks *checks);
void sending_forget(struct sending_checks *checks);

struct sending_advance {
	const char *conversation_id;
	int64_t n; /* so many messages more */
};

/* Advances conversations that exist and are locked, each given once, without waiting (db_ask). */
MUST_USE enum status sending_advance(struct db *db, const struct sending_advance *advances, size_t n_advances);

#endif
