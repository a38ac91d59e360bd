/* Slots of doubly linked entries; an entry further away than one turn stays in its slot until its tick has come. The uv
 * timer runs only while something is set. */
#include "wheel.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/clock.h"

struct wheel {
	uv_loop_t *loop;
	uv_timer_t timer;
	int64_t start_ms;
	uint64_t tick; /* the last one that has been served; 0 is never served, so that due_tick 0 can mean "not set" */
	size_t n_set;
	struct wheel_entry *slots[WHEEL_SLOTS];
};

static void
on_timer(uv_timer_t *timer)
{
	wheel_advance(timer->data, clock_monotonic_ms());
}

struct wheel *
wheel_create(uv_loop_t *loop)
{
	struct wheel *wheel = calloc(1, sizeof *wheel);

	if (wheel == NULL)
		abort();
	wheel->loop = loop;
	wheel->start_ms = clock_monotonic_ms();
	if (loop != NULL) {
		uv_timer_init(loop, &wheel->timer);
		wheel->timer.data = wheel;
	}
	return wheel;
}

void
wheel_close_handles(struct wheel *wheel)
{
	if (wheel->loop != NULL)
		uv_close((uv_handle_t *)&wheel->timer, NULL);
	wheel->loop = NULL;
}

void
wheel_destroy(struct wheel *wheel)
{
	free(wheel);
}

bool
wheel_is_set(const struct wheel_entry *entry)
{
	return entry->due_tick != 0;
}

int64_t
wheel_due_in_ms(const struct wheel *wheel, const struct wheel_entry *entry)
{
	assert(wheel_is_set(entry));
	return wheel->start_ms + (int64_t)entry->due_tick * WHEEL_TICK_MS - clock_monotonic_ms();
}

static void
unlink_entry(struct wheel *wheel, struct wheel_entry *entry)
{
	struct wheel_entry **slot = &wheel->slots[entry->due_tick % WHEEL_SLOTS];

	DL_DELETE(*slot, entry);
	entry->prev = entry->next = NULL;
	entry->due_tick = 0;
	wheel->n_set--;
}

void
wheel_cancel(struct wheel *wheel, struct wheel_entry *entry)
{
	if (!wheel_is_set(entry))
		return;
	unlink_entry(wheel, entry);
	if (wheel->n_set == 0 && wheel->loop != NULL)
		uv_timer_stop(&wheel->timer);
}

/* The tick in which a moment lies, rounded up so that nothing is early. */
static uint64_t
tick_at(const struct wheel *wheel, int64_t at_ms)
{
	int64_t since_ms = at_ms - wheel->start_ms;

	return since_ms <= 0 ? 0 : (uint64_t)((since_ms + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS);
}

void
wheel_set(struct wheel *wheel, struct wheel_entry *entry, int64_t delay_ms)
{
	uint64_t due;

	assert(entry->due != NULL);
	if (wheel_is_set(entry))
		unlink_entry(wheel, entry);
	if (wheel->n_set == 0) {
		/* It stood still, with nothing in it: what it has not counted is not to be gone through. */
		int64_t passed = (clock_monotonic_ms() - wheel->start_ms) / WHEEL_TICK_MS;

		if (passed > (int64_t)wheel->tick)
			wheel->tick = (uint64_t)passed;
		if (wheel->loop != NULL && !uv_is_active((uv_handle_t *)&wheel->timer))
			uv_timer_start(&wheel->timer, on_timer, WHEEL_TICK_MS, WHEEL_TICK_MS);
	}
	due = tick_at(wheel, clock_monotonic_ms() + delay_ms);
	entry->due_tick = due > wheel->tick ? due : wheel->tick + 1;
	DL_APPEND(wheel->slots[entry->due_tick % WHEEL_SLOTS], entry);
	wheel->n_set++;
}

/* An entry's `due` may set and cancel any entry, so the slot is looked at anew after each. One that is set again lands
 * in a later tick. */
static void
serve_tick(struct wheel *wheel)
{
	struct wheel_entry **slot = &wheel->slots[wheel->tick % WHEEL_SLOTS];
	struct wheel_entry *entry = *slot;

	while (entry != NULL) {
		if (entry->due_tick > wheel->tick) {
			entry = entry->next;
			continue;
		}
		unlink_entry(wheel, entry);
		entry->due(entry);
		entry = *slot;
	}
}

void
wheel_advance(struct wheel *wheel, int64_t now_ms)
{
	int64_t target = (now_ms - wheel->start_ms) / WHEEL_TICK_MS;

	while ((int64_t)wheel->tick < target && wheel->n_set > 0) {
		wheel->tick++;
		serve_tick(wheel);
	}
	if (wheel->n_set == 0 && wheel->loop != NULL)
		uv_timer_stop(&wheel->timer);
}
