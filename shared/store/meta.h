/* Table meta: what the database says of itself. */
#ifndef STORE_META_H
#define STORE_META_H

#include "db/db.h"
#include "model/event.h"

/* The epoch as bus records, hello and page keys carry it: meta.epoch, followed by .<timeline> while the server's timeline is
 * not the one it was written on. */
MUST_USE enum status meta_epoch(struct db *db, char ret_epoch[EVENT_EPOCH_SIZE]);

/* The same of the two values (epoch, timeline) that another statement has read with what it wanted to know. */
enum { META_VALUE_SIZE = 48 };
MUST_USE enum status meta_epoch_of(struct db *db, const char *epoch, const char *written_on,
				   char ret_epoch[EVENT_EPOCH_SIZE]);

/* Who may sign up: open, invite, closed, or default (the setting auth.sign_up holds). */
enum { META_SIGN_UP_SIZE = 48 };
MUST_USE enum status meta_sign_up(struct db *db, char ret_sign_up[META_SIGN_UP_SIZE]);
bool meta_sign_up_is_known(const char *sign_up); /* whether it is one of these four words */
MUST_USE enum status meta_set_sign_up(struct db *db, const char *sign_up);

/* Whether the database serves (state = serving); called first in each write transaction. ERR_UNAVAILABLE, code `moved` or
 * `loading`. The second one judges a state that was read with something else; "" is not serving. */
MUST_USE enum status meta_check_serving(struct db *db, struct fault *ret_fault);
MUST_USE enum status meta_check_state(const char *state, struct fault *ret_fault);

/* Both at once: the first question of each write transaction, since another epoch may have been put in place. Asked as db_ask
 * does; the caller gives the statement back with db_finish. */
struct db_stmt *meta_ask_serving_epoch(struct db *db);
MUST_USE enum status meta_serving_epoch(struct db *db, struct db_stmt *asked, char ret_epoch[EVENT_EPOCH_SIZE],
					struct fault *ret_fault);

/* Begins another history, in a write transaction: a new epoch on the server's present timeline, change numbers from the
 * start, and writes allowed. ERR_NOT_FOUND when the database says nothing of itself: it is not one of ours. */
MUST_USE enum status meta_begin_epoch(struct db *db, char ret_epoch[EVENT_EPOCH_SIZE]);

/* What the database holds; counted, so it takes the longer the more there is. */
struct meta_census {
	int64_t schema;
	int64_t people, conversations, messages; /* without the deleted ones */
	int64_t newest_message_at_ms;            /* 0: there is none */
};
MUST_USE enum status meta_count(struct db *db, struct meta_census *ret_census);

#endif
