/* Table audit: append-only, which the database itself sees to. */
#ifndef STORE_AUDIT_H
#define STORE_AUDIT_H

#include "db/db.h"
#include "model/audit.h"

MUST_USE enum status audit_insert(struct db *db, const struct audit_entry *entry);

/* The newest first, before the id `before_id` (NULL: from the newest on). Filters: "" passes all; an action also by what it
 * begins with up to a dot (user). */
struct audit_filter {
	const char *actor, *action, *target;
};
MUST_USE enum status audit_list(struct db *db, struct arena *arena, const struct audit_filter *filter,
				const char *before_id, int64_t limit, struct audit_entry **ret_entries, size_t *ret_n,
				bool *ret_more);

/* When the newest act of this name on `target` was. *ret_at_ms 0: there was none. */
MUST_USE enum status audit_last(struct db *db, const char *target, const char *action, int64_t *ret_at_ms);

#endif
