/* Lists and what is told of those on them: the answer, a frame a second, slow sockets, and a bus that comes and goes. */
#include "support/push_scene.h"

#include "presence_watch.h"
#include "session_private.h"

#define ANN "01890000-0000-7000-8000-0000000000a1"
#define BOB "01890000-0000-7000-8000-0000000000b2"

static struct {
	struct presence_watch *watch;
	char subscribed[256], unsubscribed[256]; /* the last digits of channels */
} lab;

static void
note(char *text, const char *channel)
{
	strncat(text, channel + strlen(channel) - 2, 2);
}

static void
on_subscribe(void *context, const char *const *channels, size_t n)
{
	(void)context;
	for (size_t i = 0; i < n; i++)
		note(lab.subscribed, channels[i]);
}

static void
on_unsubscribe(void *context, const char *channel)
{
	(void)context;
	note(lab.unsubscribed, channel);
}

static void
on_soon(void *context)
{
	(void)context;
}

static int
open_lab(void **state)
{
	const struct presence_watch_outside outside = {on_subscribe, on_unsubscribe, on_soon, NULL};

	set_up(state);
	memset(&lab, 0, sizeof lab);
	lab.watch = presence_watch_create(&outside);
	world.server->options.presence_watch = lab.watch;
	presence_watch_up(lab.watch);
	go_live();
	return 0;
}

static int
close_lab(void **state)
{
	tear_down(state);
	presence_watch_destroy(lab.watch);
	return 0;
}

static void
tick(int64_t later_ms)
{
	presence_watch_tick(lab.watch, clock_monotonic_ms() + later_ms);
}

/* The database knows all but those whose id ends with `nobody`. */
static void
answer_rows(char nobody)
{
	struct presence people[4];
	bool exists[4];
	size_t n = presence_watch_take_rows(lab.watch, people, 4);

	for (size_t i = 0; i < n; i++) {
		exists[i] = people[i].user_id[ID_LEN - 1] != nobody;
		people[i].last_seen_ms = 1000;
	}
	presence_watch_rows(lab.watch, people, n, exists);
}

/* Redis says the same of all that are asked for; how many those are. */
static size_t
answer_redis(char answer)
{
	char ids[4][ID_SIZE], answers[5] = "";
	int64_t now_ms = clock_monotonic_ms();
	size_t n = presence_watch_take(lab.watch, ids, 4, now_ms);

	for (size_t i = 0; i < n; i++)
		answers[i] = answer;
	presence_watch_answered(lab.watch, ids, n, answers, now_ms);
	return n;
}

static void
record(const char *user_id, const char *text)
{
	char channel[64];

	snprintf(channel, sizeof channel, "p:%s", user_id);
	presence_watch_record(lab.watch, channel, text, strlen(text));
}

static void
confirm(const char *user_id)
{
	char channel[64];

	snprintf(channel, sizeof channel, "p:%s", user_id);
	presence_watch_confirmed(lab.watch, channel);
}

/* `status digit` of each item of the last object. */
static void
expect_items(const char *wanted)
{
	json_t *items = json_object_get(last_out(), "items"), *item;
	char text[256] = "";
	size_t i;

	json_array_foreach (items, i, item) {
		size_t len = strlen(text);

		snprintf(text + len, sizeof text - len, "%s%s %s", len ? ", " : "", text_of(item, "connection_status"),
			 text_of(item, "user_id") + ID_LEN - 2);
	}
	assert_string_equal(text, wanted);
}

static void
watch_both(void)
{
	say("{\"id\":7,\"type\":\"presence.watch\",\"user_ids\":[\"" BOB "\",\"" ANN "\",\"" BOB "\"]}");
}

static void
begin(char answer)
{
	watch_both();
	confirm(ANN);
	confirm(BOB);
	answer_rows(0);
	assert_int_equal(answer_redis(answer), 2);
	tick(0);
}

static void
the_answer_waits_for_what_can_be_read(void **state)
{
	(void)state;
	watch_both();
	assert_string_equal(lab.subscribed, "a1b2");
	tick(0);
	assert_int_equal(world.conn.n_out, 1);  /* only hello */
	assert_int_equal(answer_redis('+'), 0); /* not before the bus has confirmed: a change could be missed */
	confirm(ANN);
	confirm(BOB);
	assert_int_equal(answer_redis('+'), 2);
	tick(0);
	assert_int_equal(world.conn.n_out, 1);
	answer_rows('2');
	tick(0);
	assert_int_equal(world.conn.n_out, 2);
	expect_items("online a1"); /* the other id is nobody's */
	assert_int_equal(json_integer_value(json_object_get(last_out(), "reply_to")), 7);
}

static void
what_cannot_be_read_is_unknown(void **state)
{
	(void)state;
	watch_both();
	answer_rows(0);
	tick(PRESENCE_PATIENCE_MS + 1);
	expect_items("unknown a1, unknown b2");
	confirm(ANN);
	confirm(BOB);
	answer_redis('-');
	tick(PRESENCE_FRAME_MS * 2);
	assert_string_equal(text_of(last_out(), "type"), "presence.updated");
	expect_items("offline a1, offline b2");
}

static void
a_frame_a_second_with_the_newest(void **state)
{
	size_t n;

	(void)state;
	begin('-');
	n = world.conn.n_out;
	record(ANN, "+");
	tick(0);
	assert_int_equal(world.conn.n_out, n); /* the answer was a moment ago */
	record(ANN, "-5000");
	record(BOB, "+");
	tick(PRESENCE_FRAME_MS + 1);
	assert_int_equal(world.conn.n_out, n + 1);
	expect_items("offline a1, online b2");
	record(BOB, "-6000");
	record(BOB, "+"); /* gone and back unseen */
	tick(2 * PRESENCE_FRAME_MS + 1);
	assert_int_equal(world.conn.n_out, n + 1);
}

static void
who_does_not_read_is_told_the_newest_later(void **state)
{
	size_t n;

	(void)state;
	begin('-');
	n = world.conn.n_out;
	world.conn.writable = false;
	for (int i = 0; i < 100; i++) {
		record(ANN, i % 2 ? "-7000" : "+");
		tick(PRESENCE_FRAME_MS + 1);
	}
	record(ANN, "+");
	world.conn.writable = true;
	tick(PRESENCE_FRAME_MS + 1);
	assert_int_equal(world.conn.n_out, n + 1);
	expect_items("online a1");
}

static void
a_record_beats_an_older_answer(void **state)
{
	char ids[4][ID_SIZE];

	(void)state;
	watch_both();
	confirm(ANN);
	confirm(BOB);
	answer_rows(0);
	assert_int_equal(presence_watch_take(lab.watch, ids, 4, clock_monotonic_ms()), 2);
	record(ANN, "+");
	presence_watch_answered(lab.watch, ids, 2, "--", clock_monotonic_ms());
	tick(0);
	expect_items("online a1, offline b2");
}

static void
without_a_bus_all_are_unknown_and_then_told_anew(void **state)
{
	size_t n;

	(void)state;
	begin('+');
	n = world.conn.n_out;
	presence_watch_down(lab.watch);
	presence_watch_lost(lab.watch);
	assert_int_equal(world.conn.n_out, n + 1);
	assert_string_equal(text_of(last_out(), "type"), "presence.unknown");
	presence_watch_up(lab.watch);
	confirm(ANN);
	confirm(BOB);
	assert_int_equal(answer_redis('+'), 2);
	tick(5 * PRESENCE_FRAME_MS);
	expect_items("online a1, online b2");
}

static void
a_node_that_died_has_all_read_again(void **state)
{
	(void)state;
	begin('+');
	assert_int_equal(answer_redis('-'), 0);
	presence_watch_read_all(lab.watch);
	assert_int_equal(answer_redis('-'), 2);
	tick(PRESENCE_FRAME_MS + 1);
	expect_items("offline a1, offline b2");
}

static void
another_list_takes_the_place(void **state)
{
	size_t n;

	(void)state;
	begin('-');
	say("{\"type\":\"presence.watch\",\"user_ids\":[\"" ANN "\"]}");
	tick(0);
	expect_items("offline a1");
	assert_true(json_is_null(json_object_get(last_out(), "reply_to")));
	n = world.conn.n_out;
	record(BOB, "+");
	tick(PRESENCE_FRAME_MS + 1);
	assert_int_equal(world.conn.n_out, n);
	assert_string_equal(lab.unsubscribed, "");
	tick(PRESENCE_IDLE_MS + 100);
	assert_string_equal(lab.unsubscribed, "b2");
}

static void
a_list_that_is_none_is_refused(void **state)
{
	static const char *const lists[] = {"1", "[1]", "[\"x\"]", "{}", "null"};
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		snprintf(text, sizeof text, "{\"id\":1,\"type\":\"presence.watch\",\"user_ids\":%s}", lists[i]);
		say(text);
		expect_error("bad_request");
	}
}

#define LAB(test) cmocka_unit_test_setup_teardown(test, open_lab, close_lab)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(the_answer_waits_for_what_can_be_read), LAB(what_cannot_be_read_is_unknown),
		LAB(a_frame_a_second_with_the_newest),      LAB(who_does_not_read_is_told_the_newest_later),
		LAB(a_record_beats_an_older_answer),        LAB(without_a_bus_all_are_unknown_and_then_told_anew),
		LAB(a_node_that_died_has_all_read_again),   LAB(another_list_takes_the_place),
		LAB(a_list_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
