/* The people of a process: the grace, what Redis and the table are told, and what is told again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "presence_here.h"

#define ANN "01890000-0000-7000-8000-000000000001"
#define BOB "01890000-0000-7000-8000-000000000002"

enum { GRACE_MS = 15000 };

static int
set_up(void **state)
{
	*state = presence_here_create(GRACE_MS);
	return 0;
}

static int
tear_down(void **state)
{
	presence_here_destroy(*state);
	return 0;
}

/* What Redis is told now, as `1<last digit of the id>` or `0...`; it answers the same character for each. */
static void
expect_changes(struct presence_here *here, const char *wanted, char answer)
{
	struct presence_change changes[8];
	char text[32] = "", answers[9] = "";
	size_t n = presence_here_take(here, changes, 8);

	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(text);

		snprintf(text + len, sizeof text - len, "%d%c", changes[i].here, changes[i].user_id[ID_LEN - 1]);
		answers[i] = answer;
	}
	assert_string_equal(text, wanted);
	presence_here_answered(here, changes, n, answer ? answers : NULL);
}

static void
expect_row(struct presence_here *here, const char *id, enum presence_status status)
{
	struct presence rows[4];

	assert_int_equal(presence_here_take_rows(here, rows, 4), 1);
	assert_string_equal(rows[0].user_id, id);
	assert_int_equal(rows[0].status, status);
	assert_true(rows[0].last_seen_ms > 0);
}

static void
expect_no_row(struct presence_here *here)
{
	struct presence rows[4];

	assert_int_equal(presence_here_take_rows(here, rows, 4), 0);
}

static void
who_comes_and_goes_is_told_once(void **state)
{
	struct presence_here *here = *state;

	presence_here_came(here, ANN, 1000);
	expect_changes(here, "11", '+');
	expect_row(here, ANN, PRESENCE_ONLINE);
	presence_here_left(here, ANN, 2000);
	presence_here_tick(here, 2000 + GRACE_MS - 1, true);
	expect_changes(here, "", '=');
	presence_here_tick(here, 2000 + GRACE_MS, true);
	expect_changes(here, "01", '-');
	expect_row(here, ANN, PRESENCE_OFFLINE);
	presence_here_tick(here, 99999, true);
	expect_changes(here, "", '=');
	expect_no_row(here);
}

static void
back_within_the_grace_is_no_change(void **state)
{
	struct presence_here *here = *state;

	presence_here_came(here, ANN, 1000);
	expect_changes(here, "11", '+');
	presence_here_left(here, ANN, 2000);
	presence_here_came(here, ANN, 2000 + GRACE_MS - 1);
	presence_here_tick(here, 2000 + GRACE_MS, true);
	expect_changes(here, "", '=');
	expect_row(here, ANN, PRESENCE_ONLINE);
	expect_no_row(here);
}

static void
who_is_still_elsewhere_has_no_offline_row(void **state)
{
	struct presence_here *here = *state;

	presence_here_came(here, ANN, 1000);
	expect_changes(here, "11", '=');
	expect_row(here, ANN, PRESENCE_ONLINE);
	presence_here_left(here, ANN, 2000);
	presence_here_tick(here, 2000 + GRACE_MS, true);
	expect_changes(here, "01", '=');
	expect_no_row(here);
}

static void
what_is_not_answered_is_told_again(void **state)
{
	struct presence_here *here = *state;

	presence_here_came(here, ANN, 1000);
	expect_changes(here, "11", '\0');
	expect_changes(here, "11", '+');
	expect_changes(here, "", '=');
	presence_here_left(here, ANN, 2000);
	presence_here_tick(here, 2000 + GRACE_MS, false);
	expect_row(here, ANN, PRESENCE_OFFLINE); /* Redis is away: the row doesn't wait for it */
	expect_changes(here, "01", '\0');
	expect_changes(here, "01", '-');
}

static void
a_change_under_way_is_followed_by_what_came_after(void **state)
{
	struct presence_here *here = *state;
	struct presence_change change;

	presence_here_came(here, ANN, 1000);
	assert_int_equal(presence_here_take(here, &change, 1), 1);
	presence_here_left(here, ANN, 2000);
	presence_here_tick(here, 2000 + GRACE_MS, true);
	expect_changes(here, "", '='); /* not while the first is under way */
	presence_here_answered(here, &change, 1, "+");
	expect_changes(here, "01", '-');
}

static void
an_emptied_redis_is_written_again(void **state)
{
	struct presence_here *here = *state;

	presence_here_came(here, ANN, 1000);
	presence_here_came(here, BOB, 1000);
	expect_changes(here, "1112", '+');
	presence_here_rewrite(here);
	expect_changes(here, "1112", '+');
	expect_changes(here, "", '=');
}

static void
what_is_under_way_meanwhile_is_written_again_too(void **state)
{
	struct presence_here *here = *state;
	struct presence_change change;

	presence_here_came(here, ANN, 1000);
	assert_int_equal(presence_here_take(here, &change, 1), 1);
	presence_here_rewrite(here);
	presence_here_answered(here, &change, 1, "=");
	expect_changes(here, "11", '+');
	expect_changes(here, "", '=');
}

static void
who_stays_is_refreshed(void **state)
{
	struct presence_here *here = *state;

	presence_here_came(here, ANN, 1000);
	expect_changes(here, "11", '+');
	expect_row(here, ANN, PRESENCE_ONLINE);
	presence_here_tick(here, 1000 + PRESENCE_REFRESH_MS, true);
	expect_changes(here, "11", '=');
	expect_row(here, ANN, PRESENCE_ONLINE);
}

static void
the_end_writes_who_has_left(void **state)
{
	struct presence_here *here = *state;
	struct presence row;

	presence_here_came(here, ANN, 1000);
	presence_here_came(here, BOB, 1000);
	while (presence_here_take_rows(here, &row, 1))
		;
	presence_here_left(here, ANN, 2000);
	presence_here_end(here);
	expect_row(here, ANN, PRESENCE_OFFLINE);
	expect_no_row(here);
	presence_here_rows_failed(here, &row, 0);
}

/* Whoever writes them locks them in one order, in whichever they came. */
static void
rows_come_by_id(void **state)
{
	struct presence_here *here = *state;
	struct presence rows[4];
	char id[ID_SIZE];

	for (int i = 3; i > 0; i--) {
		snprintf(id, sizeof id, "01900000-0000-7000-8000-%012d", i);
		presence_here_came(here, id, 1000);
	}
	expect_changes(here, "131211", '+');
	assert_int_equal(presence_here_take_rows(here, rows, 4), 3);
	for (int i = 0; i < 2; i++)
		assert_true(strcmp(rows[i].user_id, rows[i + 1].user_id) < 0);
}

#define HERE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		HERE(rows_come_by_id),
		HERE(who_comes_and_goes_is_told_once),
		HERE(back_within_the_grace_is_no_change),
		HERE(who_is_still_elsewhere_has_no_offline_row),
		HERE(what_is_not_answered_is_told_again),
		HERE(a_change_under_way_is_followed_by_what_came_after),
		HERE(an_emptied_redis_is_written_again),
		HERE(what_is_under_way_meanwhile_is_written_again_too),
		HERE(who_stays_is_refreshed),
		HERE(the_end_writes_who_has_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
