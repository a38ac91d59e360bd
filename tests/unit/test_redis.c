/* redis: commands, scripts and the breaker, with a real Redis that stalls, dies, forgets and refuses. */
#include "support/redis_server.h"

#include "base/arena.h"
#include "base/thread.h"
#include "redis.h"
#include "redis_address.h"

static struct redis_server server;

static int
set_up(void **state)
{
	(void)state;
	redis_server_init(&server);
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	redis_server_finish(&server);
	return 0;
}

static void
assert_same(const char *text, const char *wanted)
{
	if (wanted && text)
		assert_string_equal(text, wanted);
	else
		assert_true(text == wanted);
}

static void
addresses_are_read(void **state)
{
	static const struct {
		const char *url, *path, *host;
		int port; /* -1: refused */
	} cases[] = {
		{"unix:/run/redis.sock", "/run/redis.sock", NULL, 0},
		{"unix:redis.sock", "redis.sock", NULL, 0},
		{"redis://localhost:6380", NULL, "localhost", 6380},
		{"redis://127.0.0.1", NULL, "127.0.0.1", 6379},
		{"unix:", NULL, NULL, -1},
		{"unix:/a/path/that/is/far/too/long/for/the/address/of/a/unix/socket/which/holds/one/hundred/and/seven/"
		 "bytes/at/most",
		 NULL, NULL, -1},
		{"", NULL, NULL, -1},
		{"localhost:6379", NULL, NULL, -1},
		{"rediss://localhost:6379", NULL, NULL, -1},
		{"redis://", NULL, NULL, -1},
		{"redis://:6379", NULL, NULL, -1},
		{"redis://localhost:0", NULL, NULL, -1},
		{"redis://localhost:65536", NULL, NULL, -1},
		{"redis://localhost:", NULL, NULL, -1},
		{"redis://localhost:6379/1", NULL, NULL, -1},
		{"redis://user@localhost", NULL, NULL, -1},
		{"redis://@localhost", NULL, NULL, -1},
		{"redis://user:@localhost", NULL, NULL, -1},
		{"redis://:50%@localhost", NULL, NULL, -1},
		{"redis://:a%00b@localhost", NULL, NULL, -1},
		{"redis://:secret@", NULL, NULL, -1},
		{"redis://:secret@localhost", NULL, "localhost", 6379},
		{"redis://ann:s%40cret%25:x@localhost:7000", NULL, "localhost", 7000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct arena arena = {0};
		struct fault fault = {0};
		struct redis_address address;
		enum status status = redis_address_parse(cases[i].url, &arena, &address, &fault);

		assert_int_equal(status, cases[i].port < 0 ? ERR_INVALID : OK);
		if (status == OK) {
			assert_int_equal(address.port, cases[i].port);
			assert_same(address.path, cases[i].path);
			assert_same(address.host, cases[i].host);
		} else {
			assert_string_equal(fault.field, "redis.url");
			assert_null(strstr(fault.detail, "secret"));
		}
		arena_finish(&arena);
	}
}

static void
passwords_are_read(void **state)
{
	struct arena arena = {0};
	struct redis_address address;

	(void)state;
	assert_int_equal(redis_address_parse("redis://localhost", &arena, &address, NULL), OK);
	assert_null(address.user);
	assert_null(address.password);
	assert_int_equal(redis_address_parse("redis://:secret@localhost", &arena, &address, NULL), OK);
	assert_null(address.user);
	assert_string_equal(address.password, "secret");
	assert_int_equal(redis_address_parse("redis://a%3Ann:s%40cret%25:x@localhost", &arena, &address, NULL), OK);
	assert_string_equal(address.user, "a:nn");
	assert_string_equal(address.password, "s@cret%:x");
	arena_finish(&arena);
}

/* A command of at most eight words, by spaces. */
struct line {
	struct redis_word words[8];
	size_t n;
};

static struct redis_command
command(struct line *line, const char *text)
{
	line->n = 0;
	while (*text) {
		size_t len = strcspn(text, " ");

		line->words[line->n++] = (struct redis_word){text, len};
		text += len + (text[len] == ' ');
	}
	return (struct redis_command){.words = line->words, .n_words = line->n};
}

static bool
run_line(struct redis *redis, const char *text, struct arena *arena, struct redis_reply *ret_reply)
{
	struct line line;
	struct redis_command one = command(&line, text);

	return redis_run(redis, &one, 1, arena, ret_reply) == 1;
}

static void
replies_of_all_kinds_come_in_order(void **state)
{
	static const char *const lines[] = {"SET a 1", "INCR a", "GET a", "GET nothing", "HSET h f v", "HGETALL h"};
	enum { N = sizeof lines / sizeof lines[0] };
	struct redis_command commands[N];
	struct line parsed[N];
	struct redis_reply replies[N];
	struct arena arena = {0};
	struct redis *redis;

	(void)state;
	redis_server_start(&server);
	assert_int_equal(redis_create(server.url, &redis, NULL), OK);
	assert_int_equal(redis_state(redis), REDIS_UNKNOWN);
	for (size_t i = 0; i < N; i++)
		commands[i] = command(&parsed[i], lines[i]);
	assert_int_equal(redis_run(redis, commands, N, &arena, replies), N);
	assert_int_equal(redis_state(redis), REDIS_UP);
	assert_string_equal(replies[0].bytes, "OK");
	assert_int_equal(replies[1].kind, REPLY_INTEGER);
	assert_int_equal(replies[1].integer, 2);
	assert_int_equal(replies[2].kind, REPLY_TEXT);
	assert_string_equal(replies[2].bytes, "2");
	assert_int_equal(replies[3].kind, REPLY_NIL);
	assert_int_equal(replies[5].kind, REPLY_LIST);
	assert_int_equal(replies[5].n_items, 2);
	assert_string_equal(replies[5].items[1].bytes, "v");

	assert_int_equal(redis_run(redis, commands, N, NULL, replies), N); /* no arena: no texts, and nothing leaks */
	assert_null(replies[2].bytes);
	assert_int_equal(replies[5].n_items, 0);
	assert_int_equal(redis_run(redis, commands, N, NULL, NULL), N);
	arena_finish(&arena);
	redis_destroy(redis);
}

static void
scripts_are_remembered_and_sent_again(void **state)
{
	static const char add[] = "return redis.call('INCRBY', KEYS[1], ARGV[1])";
	static const char twice[] = "return ARGV[1] * 2";
	const struct redis_word add_words[] = {{"1", 1}, {"sum", 3}, {"3", 1}}, twice_words[] = {{"0", 1}, {"21", 2}};
	const struct redis_command commands[] = {
		{.script = add, .words = add_words, .n_words = 3},
		{.script = twice, .words = twice_words, .n_words = 2},
		{.script = add, .words = add_words, .n_words = 3},
	};
	struct redis_reply replies[3];
	struct redis *redis;

	(void)state;
	redis_server_start(&server);
	assert_int_equal(redis_create(server.url, &redis, NULL), OK);
	for (int round = 0; round < 4; round++) {
		assert_int_equal(redis_run(redis, commands, 3, NULL, replies), 3);
		assert_int_equal(replies[1].integer, 42);
		assert_int_equal(replies[0].integer + replies[2].integer, 3 * (4 * round + 3));
		if (round % 2) /* the next is run by their text, out of order */
			assert_true(run_line(redis, "SCRIPT FLUSH", NULL, NULL));
	}
	redis_destroy(redis);
}

static void
the_breaker_opens_and_closes(void **state)
{
	struct redis *redis;
	int64_t began_ms;

	(void)state;
	assert_int_equal(redis_create(server.url, &redis, NULL), OK);
	assert_false(run_line(redis, "PING", NULL, NULL));
	assert_int_equal(redis_state(redis), REDIS_DOWN);
	redis_server_start(&server);
	assert_false(run_line(redis, "PING", NULL, NULL)); /* not before the probe is due */
	WAIT_FOR(run_line(redis, "PING", NULL, NULL));
	assert_int_equal(redis_state(redis), REDIS_UP);

	kill(server.pid, SIGSTOP);
	began_ms = clock_monotonic_ms();
	for (int i = 0; i < 100; i++)
		assert_false(run_line(redis, "PING", NULL, NULL));
	print_message("100 commands to a stalled Redis: %lld ms\n", (long long)(clock_monotonic_ms() - began_ms));
	assert_true(clock_monotonic_ms() - began_ms < 3 * REDIS_TIMEOUT_MS);
	kill(server.pid, SIGCONT);
	WAIT_FOR(run_line(redis, "PING", NULL, NULL));

	redis_server_stop(&server);
	redis_server_start(&server);
	assert_true(redis_probe(redis)); /* finds the connection lost, and makes another */
	assert_true(run_line(redis, "PING", NULL, NULL));
	redis_destroy(redis);
}

static void
an_error_is_a_failure(void **state)
{
	const struct redis_word ping[] = {{"PING", 4}}, nonsense[] = {{"NONSENSE", 8}};
	const struct redis_command commands[] = {{NULL, ping, 1}, {NULL, nonsense, 1}, {NULL, ping, 1}};
	struct redis *redis;

	(void)state;
	redis_server_start(&server);
	assert_int_equal(redis_create(server.url, &redis, NULL), OK);
	assert_int_equal(redis_run(redis, commands, 3, NULL, NULL), 1);
	assert_int_equal(redis_state(redis), REDIS_DOWN);
	redis_destroy(redis);
}

enum { N_THREADS = 4, N_ROUNDS = 300 };

/* On a busy machine an answer may take longer than the timeout: then it is asked again, and has perhaps counted twice. */
static void *
count(void *argument)
{
	int64_t end_ms = clock_monotonic_ms() + WAIT_MS;

	for (int i = 0; i < N_ROUNDS; i++)
		while (!run_line(argument, "INCR n", NULL, NULL))
			if (clock_monotonic_ms() > end_ms)
				return argument;
	return NULL;
}

static void
threads_may_share_a_connection(void **state)
{
	pthread_t threads[N_THREADS];
	struct arena arena = {0};
	struct redis_reply reply;
	struct redis *redis;
	void *failed;

	(void)state;
	redis_server_start(&server);
	assert_int_equal(redis_create(server.url, &redis, NULL), OK);
	for (int i = 0; i < N_THREADS; i++)
		threads[i] = thread_start("count", count, redis);
	for (int i = 0; i < N_THREADS; i++) {
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	WAIT_FOR(run_line(redis, "GET n", &arena, &reply));
	assert_true(strtol(reply.bytes, NULL, 10) >= N_THREADS * N_ROUNDS);
	arena_finish(&arena);
	redis_destroy(redis);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read),
		cmocka_unit_test(passwords_are_read),
		cmocka_unit_test_setup_teardown(replies_of_all_kinds_come_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(scripts_are_remembered_and_sent_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_breaker_opens_and_closes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_error_is_a_failure, set_up, tear_down),
		cmocka_unit_test_setup_teardown(threads_may_share_a_connection, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
