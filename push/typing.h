/* Who has been said to type, so that a conversation hears of each person at most once in TYPING_RESEND_MS, whatever their
 * devices send. Loop thread only. */
#ifndef PUSH_TYPING_H
#define PUSH_TYPING_H

#include <stdbool.h>
#include <stdint.h>

enum {
	TYPING_RESEND_MS = 3000, /* a client that goes on typing says so as often */
	TYPING_EXPIRE_MS = 6000, /* others forget it then */
};

struct typing;

struct typing *typing_create(void);
void typing_destroy(struct typing *typing);

/* Whether the conversation is to hear of it now; notes that it has. `now_ms` is monotonic, and both ids are canonical. */
bool typing_take(struct typing *typing, const char *conversation_id, const char *user_id, int64_t now_ms);

#endif
