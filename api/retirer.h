/* The thread that finishes deletions: at the start, and then once a minute, whoever was deleted and is still in a group leaves
 * it. A process that ended between the deletion and the last group leaves such people behind. */
#ifndef RETIRER_H
#define RETIRER_H

#include "base/status.h"
#include "writer/writer.h"

struct retirer;

/* ERR_UNAVAILABLE when the database cannot be opened. */
MUST_USE enum status retirer_start(const char *database_url, struct writer *writer, struct retirer **ret_retirer,
				   struct fault *ret_fault);
void retirer_stop(struct retirer *retirer); /* before the writer; NULL is fine */

#endif
