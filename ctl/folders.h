/* The folders of a server's data. */
#ifndef FOLDERS_H
#define FOLDERS_H

#include "config.h"

/* Makes config->data and what stands in it where they are missing, for their owner only, and says so on stdout. */
MUST_USE enum status folders_make(struct config *config, struct fault *ret_fault);

#endif
