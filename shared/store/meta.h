/* Table meta: what the database says of itself. */
#ifndef STORE_META_H
#define STORE_META_H

#include "db/db.h"
#include "model/event.h"

/* The epoch as bus records, hello and page keys carry it: meta.epoch, followed by .<timeline> while the server's timeline is
 * not the one it was written on. */
MUST_USE enum status meta_epoch(struct db *db, char ret_epoch[EVENT_EPOCH_SIZE]);

/* Whether writes are allowed (state = serving); called first in each write transaction. ERR_UNAVAILABLE, code `moved` or
 * `loading`. */
MUST_USE enum status meta_check_serving(struct db *db, struct fault *ret_fault);

#endif
