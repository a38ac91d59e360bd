/* What is a person's own, in pages for GET /users/me/export: rows of theirs in several tables, each in the order of a key. */
#ifndef STORE_EXPORTS_H
#define STORE_EXPORTS_H

#include "db/db.h"
#include "model/export.h"
#include "model/message.h"

/* Log-ins and tokens, also those that have ended, by id after `after_id`. */
MUST_USE enum status exports_sessions(struct db *db, struct arena *arena, const char *user_id, const char *after_id,
				      int64_t limit, struct export_row **ret_rows, size_t *ret_n);
/* Conversations they are or were in, by id. */
MUST_USE enum status exports_memberships(struct db *db, struct arena *arena, const char *user_id, const char *after_id,
					 int64_t limit, struct export_row **ret_rows, size_t *ret_n);
/* People they block, or did, by id. */
MUST_USE enum status exports_blocks(struct db *db, struct arena *arena, const char *user_id, const char *after_id,
				    int64_t limit, struct export_row **ret_rows, size_t *ret_n);
/* The invite they signed up with, if there was one. */
MUST_USE enum status exports_invites(struct db *db, struct arena *arena, const char *user_id, const char *after_id,
				     int64_t limit, struct export_row **ret_rows, size_t *ret_n);
/* Rows of the audit about them, by them, or of a hand-over from or to them, by id. Of what others did the actor and the address are left out. */
MUST_USE enum status exports_acts(struct db *db, struct arena *arena, const char *user_id, const char *after_id,
				  int64_t limit, struct export_row **ret_rows, size_t *ret_n);

/* The first conversation they are or were in whose id is greater. *ret_found false: there is none. */
MUST_USE enum status exports_next_conversation(struct db *db, const char *user_id, const char *after_id,
					       bool *ret_found, char ret_id[ID_SIZE]);
/* What they said in one conversation, by seq. */
MUST_USE enum status exports_messages(struct db *db, struct arena *arena, const char *user_id,
				      const char *conversation_id, int64_t after_seq, int64_t limit,
				      struct message **ret_messages, size_t *ret_n);
/* Their reactions in one conversation to messages of these seqs: all of a seq, so a page may be a little longer. */
MUST_USE enum status exports_reactions(struct db *db, struct arena *arena, const char *user_id,
				       const char *conversation_id, int64_t after_seq, int64_t limit,
				       struct export_row **ret_rows, size_t *ret_n);

#endif
