/* writer/held: what somebody else keeps locked is refused for a while, then one operation tries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "writer/held.h"

static int
set_up(void **state)
{
	static struct held held;

	held_init(&held);
	*state = &held;
	return 0;
}

static int
tear_down(void **state)
{
	held_finish(*state);
	return 0;
}

static int64_t
refuses_ms(struct held *held, const char *id, int64_t now_ms)
{
	return held_refuses_ms(held, &id, 1, now_ms);
}

static void
one_that_nobody_holds_is_let_through(void **state)
{
	assert_int_equal(refuses_ms(*state, "room", 5000), 0);
	held_note(*state, "other", 5000);
	assert_int_equal(refuses_ms(*state, "room", 5000), 0);
	held_forget(*state, NULL);
	held_forget(*state, "room");
}

static void
one_that_is_held_is_refused_for_a_while(void **state)
{
	held_note(*state, "room", 5000);
	assert_int_equal(refuses_ms(*state, "room", 5000), HELD_FOR_MS);
	assert_int_equal(refuses_ms(*state, "room", 5000 + HELD_FOR_MS - 1), 1);
}

static void
then_one_operation_tries(void **state)
{
	held_note(*state, "room", 5000);
	assert_int_equal(refuses_ms(*state, "room", 6000), 0);
	assert_int_equal(refuses_ms(*state, "room", 6000), HELD_TRY_MS); /* not a second one */
	held_note(*state, "room", 6500);
	assert_int_equal(refuses_ms(*state, "room", 6500), HELD_FOR_MS);
	held_forget(*state, "room");
	assert_int_equal(refuses_ms(*state, "room", 6500), 0);
	assert_int_equal(refuses_ms(*state, "room", 6500), 0);
}

static void
one_that_never_found_out_is_followed_by_another(void **state)
{
	held_note(*state, "room", 5000);
	assert_int_equal(refuses_ms(*state, "room", 6000), 0);
	assert_int_equal(refuses_ms(*state, "room", 6000 + HELD_TRY_MS), 0);
}

static void
no_more_are_remembered_than_there_is_room_for(void **state)
{
	char id[ID_SIZE];

	for (int i = 0; i < HELD_MAX + 3; i++) {
		snprintf(id, sizeof id, "room %d", i);
		held_note(*state, id, 5000);
	}
	assert_int_equal(refuses_ms(*state, "room 15", 5000), HELD_FOR_MS);
	assert_int_equal(refuses_ms(*state, "room 16", 5000), 0);
	held_forget(*state, "room 3");
	assert_int_equal(refuses_ms(*state, "room 3", 5000), 0);
	assert_int_equal(refuses_ms(*state, "room 15", 5000), HELD_FOR_MS);
	held_note(*state, "room 16", 5000);
	assert_int_equal(refuses_ms(*state, "room 16", 5000), HELD_FOR_MS);
}

static void
one_whose_time_is_over_gives_way(void **state)
{
	char id[ID_SIZE];

	for (int i = 0; i < HELD_MAX; i++) {
		snprintf(id, sizeof id, "room %d", i);
		held_note(*state, id, i == 7 ? 4000 : 5000);
	}
	held_note(*state, "early", 4999); /* 7 is until 5000 */
	assert_int_equal(refuses_ms(*state, "early", 5000), 0);
	held_note(*state, "next", 5000);
	assert_int_equal(refuses_ms(*state, "next", 5000), HELD_FOR_MS);
	assert_int_equal(refuses_ms(*state, "room 7", 5000), 0);
	assert_int_equal(refuses_ms(*state, "room 7", 5000), 0); /* nobody is the only one to try */
	for (int i = 0; i < HELD_MAX; i++) {
		snprintf(id, sizeof id, "next %d", i);
		held_note(*state, id, 60000);
		assert_int_equal(refuses_ms(*state, id, 60000), HELD_FOR_MS);
	}
}

static void
what_may_be_tried_is_remembered(void **state)
{
	const char *const ids[] = {"other", "room"};

	assert_false(held_has_any(*state, ids, 2));
	held_note(*state, "room", 5000);
	assert_true(held_has_any(*state, ids, 2));
	assert_false(held_has_any(*state, ids, 1));
	assert_int_equal(refuses_ms(*state, "room", 7000), 0);
	assert_true(held_has_any(*state, ids, 2));
	held_forget(*state, "room");
	assert_false(held_has_any(*state, ids, 2));
}

/* Whoever is refused for one of them has not tried the other. */
static void
of_several_all_must_be_free(void **state)
{
	const char *const ids[] = {"ann", "bob"};

	held_note(*state, "ann", 5000);
	held_note(*state, "bob", 5500);
	assert_int_equal(held_refuses_ms(*state, ids, 2, 6100), 400);
	assert_int_equal(refuses_ms(*state, "ann", 6100), 0);
	held_forget(*state, "ann");
	assert_int_equal(held_refuses_ms(*state, ids, 2, 6500), 0);
	assert_int_equal(refuses_ms(*state, "bob", 6500), HELD_TRY_MS);
	assert_int_equal(refuses_ms(*state, "ann", 6500), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_that_nobody_holds_is_let_through, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_that_is_held_is_refused_for_a_while, set_up, tear_down),
		cmocka_unit_test_setup_teardown(then_one_operation_tries, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_that_never_found_out_is_followed_by_another, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_more_are_remembered_than_there_is_room_for, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_whose_time_is_over_gives_way, set_up, tear_down),
		cmocka_unit_test_setup_teardown(of_several_all_must_be_free, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_may_be_tried_is_remembered, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
