/* push/wheel: due in time, never early, whatever is set and cancelled in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>

#include "base/clock.h"
#include "wheel.h"

struct timeout {
	struct wheel_entry entry; /* first member */
	struct wheel *wheel;
	int n_due;
	int64_t again_ms; /* set again from inside; 0: no */
	struct timeout *cancels;
};

static void
on_due(struct wheel_entry *entry)
{
	struct timeout *timeout = (struct timeout *)entry;

	assert_false(wheel_is_set(entry));
	timeout->n_due++;
	if (timeout->again_ms > 0)
		wheel_set(timeout->wheel, entry, timeout->again_ms);
	if (timeout->cancels != NULL)
		wheel_cancel(timeout->wheel, &timeout->cancels->entry);
}

static struct timeout
make(struct wheel *wheel)
{
	return (struct timeout){.entry = {.due = on_due}, .wheel = wheel};
}

static void
never_early_and_at_most_a_tick_late(void **state)
{
	static const int64_t delays_ms[] = {0, 1, 99, 100, 101, 250, 5000, 51199, 51200, 51201, 200000};

	(void)state;
	for (size_t i = 0; i < sizeof delays_ms / sizeof delays_ms[0]; i++) {
		struct wheel *wheel = wheel_create(NULL);
		struct timeout timeout = make(wheel);
		int64_t before_ms = clock_monotonic_ms();
		int64_t after_ms;

		wheel_set(wheel, &timeout.entry, delays_ms[i]);
		after_ms = clock_monotonic_ms();
		assert_true(wheel_due_in_ms(wheel, &timeout.entry) >= delays_ms[i] - (after_ms - before_ms));
		wheel_advance(wheel, before_ms + delays_ms[i] - 1);
		assert_int_equal(timeout.n_due, 0);
		wheel_advance(wheel, after_ms + delays_ms[i] + 2 * WHEEL_TICK_MS);
		assert_int_equal(timeout.n_due, 1);
		assert_false(wheel_is_set(&timeout.entry));
		wheel_destroy(wheel);
	}
}

static void
a_cancelled_one_is_not_due(void **state)
{
	struct wheel *wheel = wheel_create(NULL);
	struct timeout one = make(wheel), other = make(wheel);

	(void)state;
	wheel_set(wheel, &one.entry, 300);
	wheel_set(wheel, &other.entry, 300);
	wheel_cancel(wheel, &one.entry);
	wheel_cancel(wheel, &one.entry);
	wheel_advance(wheel, clock_monotonic_ms() + 1000);
	assert_int_equal(one.n_due, 0);
	assert_int_equal(other.n_due, 1);
	wheel_destroy(wheel);
}

static void
setting_it_again_replaces_the_first(void **state)
{
	struct wheel *wheel = wheel_create(NULL);
	struct timeout timeout = make(wheel);
	int64_t now_ms = clock_monotonic_ms();

	(void)state;
	wheel_set(wheel, &timeout.entry, 300);
	wheel_set(wheel, &timeout.entry, 3000);
	wheel_advance(wheel, now_ms + 2000);
	assert_int_equal(timeout.n_due, 0);
	wheel_advance(wheel, now_ms + 4000);
	assert_int_equal(timeout.n_due, 1);
	wheel_destroy(wheel);
}

static void
what_is_due_may_set_itself_and_cancel_others(void **state)
{
	struct wheel *wheel = wheel_create(NULL);
	struct timeout again = make(wheel), victim = make(wheel), others[10];
	int64_t now_ms = clock_monotonic_ms();

	(void)state;
	again.again_ms = 100;
	again.cancels = &victim;
	wheel_set(wheel, &again.entry, 100);
	wheel_set(wheel, &victim.entry, 100); /* in the same slot, after the one that cancels it */
	for (size_t i = 0; i < 10; i++) {
		others[i] = make(wheel);
		wheel_set(wheel, &others[i].entry, 100 + 51200 * (int64_t)(i % 2)); /* the same slot, another turn */
	}
	wheel_advance(wheel, now_ms + 500);
	assert_in_range(again.n_due, 1, 5);
	assert_int_equal(victim.n_due, 0);
	for (size_t i = 0; i < 10; i++)
		assert_int_equal(others[i].n_due, i % 2 == 0);
	wheel_destroy(wheel);
}

static void
on_turn(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

static void
the_loop_drives_it_and_may_rest(void **state)
{
	uv_loop_t loop;
	uv_timer_t limit;
	struct wheel *wheel;
	struct timeout timeout;

	(void)state;
	uv_loop_init(&loop);
	wheel = wheel_create(&loop);
	timeout = make(wheel);
	uv_timer_init(&loop, &limit);
	uv_timer_start(&limit, on_turn, 10000, 0);
	uv_unref((uv_handle_t *)&limit);
	wheel_set(wheel, &timeout.entry, 150);
	uv_run(&loop, UV_RUN_DEFAULT); /* ends when nothing is set any more */
	assert_int_equal(timeout.n_due, 1);
	wheel_close_handles(wheel);
	uv_close((uv_handle_t *)&limit, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	wheel_destroy(wheel);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(never_early_and_at_most_a_tick_late),
		cmocka_unit_test(a_cancelled_one_is_not_due),
		cmocka_unit_test(setting_it_again_replaces_the_first),
		cmocka_unit_test(what_is_due_may_set_itself_and_cancel_others),
		cmocka_unit_test(the_loop_drives_it_and_may_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
