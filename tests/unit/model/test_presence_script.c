/* The Lua of presence, run by a real Redis: crossings, dead nodes, an emptied Redis. */
#include "support/redis_server.h"

#include "model/presence_script.h"
#include "redis.h"

#define ANN "01890000-0000-7000-8000-000000000001"

struct place {
	struct redis_server server;
	struct redis *redis;
	struct redis_subscriber ear;
	struct arena arena;
};

static int
set_up(void **state)
{
	struct place *place = calloc(1, sizeof *place);

	redis_server_init(&place->server);
	redis_server_start(&place->server);
	assert_int_equal(redis_create(place->server.url, &place->redis, NULL), OK);
	redis_subscriber_init(&place->ear, &place->server);
	redis_subscriber_add(&place->ear, "p:" ANN, 1);
	redis_subscriber_add(&place->ear, PRESENCE_NODES_CHANNEL, 2);
	*state = place;
	return 0;
}

static int
tear_down(void **state)
{
	struct place *place = *state;

	redis_subscriber_finish(&place->ear);
	redis_destroy(place->redis);
	redis_server_finish(&place->server);
	arena_finish(&place->arena);
	free(place);
	return 0;
}

/* Runs a script (NULL: a command) of up to 8 words, "" ends them; the text answered. */
static const char *
run(struct place *place, const char *script, const char *const words[8])
{
	struct redis_word all[9] = {{"0", 1}};
	size_t n = script ? 1 : 0;
	struct redis_reply reply;

	for (size_t i = 0; i < 8 && words[i]; i++)
		all[n++] = (struct redis_word){words[i], strlen(words[i])};
	struct redis_command command = {script, all, n};

	for (int tries = 0; tries < 50; tries++) /* a busy machine: one command may take more than the 50 ms */
		if (redis_probe(place->redis) && redis_run(place->redis, &command, 1, &place->arena, &reply) == 1)
			return reply.kind == REPLY_TEXT ? reply.bytes : "";
	fail_msg("redis does not answer");
	return NULL;
}

#define RUN(script, ...) run(place, script, (const char *const[8]){__VA_ARGS__})
#define HEARS(channel, text) redis_subscriber_expect_record(&place->ear, channel, text, strlen(text))

static void
only_crossings_are_told(void **state)
{
	struct place *place = *state;

	assert_string_equal(RUN(presence_script_write, "a", "60000", "0", ANN, "1", "5"), "+");
	HEARS(PRESENCE_NODES_CHANNEL, "emptied");
	HEARS("p:" ANN, "+");
	assert_string_equal(RUN(presence_script_write, "b", "60000", "0", ANN, "1", "5"), "=");
	assert_string_equal(RUN(presence_script_write, "a", "60000", "0", ANN, "0", "6"), "=");
	assert_string_equal(RUN(presence_script_read, ANN), "+");
	assert_string_equal(RUN(presence_script_write, "b", "60000", "0", ANN, "0", "7"), "-");
	HEARS("p:" ANN, "-7");
	assert_string_equal(RUN(presence_script_write, "b", "60000", "0", ANN, "0", "8"), "=");
	assert_true(redis_subscriber_is_empty(&place->ear));
}

static void
a_dead_node_counts_for_nothing(void **state)
{
	struct place *place = *state;

	RUN(presence_script_write, "dead", "60000", "0", ANN, "1", "5");
	RUN(NULL, "DEL", "presence:settling");
	const char *nodes = RUN(presence_script_beat, "b", "60000"); /* in any order */

	assert_int_equal(strlen(nodes), strlen("0\ndead\nb"));
	assert_non_null(strstr(nodes, "\ndead"));
	assert_non_null(strstr(nodes, "\nb"));
	RUN(NULL, "DEL", "presence:node:dead");
	assert_string_equal(RUN(presence_script_read, ANN), "-");
	assert_string_equal(RUN(presence_script_beat, "b", "60000"), "1\nb");
	assert_string_equal(RUN(presence_script_write, "b", "60000", "0", ANN, "1", "5"), "+");
	assert_string_equal(RUN(presence_script_write, "b", "60000", "0", ANN, "0", "9"), "-");
}

static void
a_node_that_was_silent_tells_its_people_again(void **state)
{
	struct place *place = *state;

	RUN(presence_script_write, "a", "60000", "0", ANN, "1", "5");
	RUN(NULL, "DEL", "presence:node:a");
	assert_string_equal(RUN(presence_script_beat, "a", "60000"), "0\na");
	assert_string_equal(RUN(presence_script_write, "a", "60000", "1", ANN, "1", "5"), "+");
	assert_string_equal(RUN(presence_script_write, "a", "60000", "0", ANN, "1", "5"), "=");
	RUN(NULL, "DEL", "presence:node:a");
	assert_string_equal(RUN(presence_script_write, "a", "60000", "0", ANN, "1", "5"), "+"); /* no beat in between */
}

static void
who_is_missing_in_an_emptied_redis_is_unknown(void **state)
{
	struct place *place = *state;

	RUN(presence_script_beat, "a", "60000");
	HEARS(PRESENCE_NODES_CHANNEL, "emptied");
	RUN(NULL, "DEL", "presence:settling");
	assert_string_equal(RUN(presence_script_read, ANN), "-");
	RUN(NULL, "FLUSHALL", NULL);
	assert_string_equal(RUN(presence_script_read, ANN), "?");
	HEARS(PRESENCE_NODES_CHANNEL, "emptied");
	RUN(presence_script_write, "a", "60000", "0", ANN, "1", "5");
	assert_string_equal(RUN(presence_script_read, ANN), "+");
	RUN(NULL, "DEL", "presence:settling");
	RUN(presence_script_write, "a", "60000", "0", ANN, "0", "5");
	assert_string_equal(RUN(presence_script_read, ANN), "-");
}

#define PLACE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		PLACE(only_crossings_are_told),
		PLACE(a_dead_node_counts_for_nothing),
		PLACE(a_node_that_was_silent_tells_its_people_again),
		PLACE(who_is_missing_in_an_emptied_redis_is_unknown),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
