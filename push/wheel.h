/* A timing wheel: one uv timer for all the timeouts of all sockets, because a timer of the WebSocket library per socket would
 * be a step through one sorted list each time it is set.
 *
 * Timeouts are late by up to one tick, never early. Loop thread only. */
#ifndef PUSH_WHEEL_H
#define PUSH_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum { WHEEL_TICK_MS = 100, WHEEL_SLOTS = 512 };

/* Embedded in the caller's struct; zero it, set `due`. */
struct wheel_entry {
	void (*due)(struct wheel_entry *entry); /* the entry is no longer set when it is called, and may be set again */
	struct wheel_entry *prev, *next;
	uint64_t due_tick; /* 0: not set */
};

struct wheel;

/* `loop` may be NULL in tests: then only wheel_advance moves it. */
struct wheel *wheel_create(uv_loop_t *loop);

/* Closes the uv handle (asynchronously: run the loop before wheel_destroy). */
void wheel_close_handles(struct wheel *wheel);
void wheel_destroy(struct wheel *wheel);

/* Sets the entry to be due in `delay_ms`, whether it was set before or not. */
void wheel_set(struct wheel *wheel, struct wheel_entry *entry, int64_t delay_ms);

/* An entry that is not set is fine. */
void wheel_cancel(struct wheel *wheel, struct wheel_entry *entry);
bool wheel_is_set(const struct wheel_entry *entry);

/* For an entry that is set: until it is due, as wheel_set would say it. */
int64_t wheel_due_in_ms(const struct wheel *wheel, const struct wheel_entry *entry);

/* Calls what is due at `now_ms` (monotonic). The uv timer does this; tests do it by hand. */
void wheel_advance(struct wheel *wheel, int64_t now_ms);

#endif
