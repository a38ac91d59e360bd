/* Muting: what mute_conversation and unmute_conversation have in common. */
#ifndef MUTE_H
#define MUTE_H

#include <stdint.h>

#include "base/status.h"

struct req;

/* Mutes the conversation of the path until then (0: not any more) and answers with the membership. */
MUST_USE enum status mute_until(struct req *req, int64_t until_ms);

#endif
