/* bus: publishing to a real Redis, and what happens when it is late, stalled, killed or too slow. */
#include "support/redis_server.h"

#include "bus.h"
#include "metrics.h"
#include "redis.h"

enum { N_RECORDS = 3000, RECORD_SIZE = 64 };

static struct redis_server server;

static int
set_up(void **state)
{
	(void)state;
	redis_server_init(&server);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	redis_server_finish(&server);
	return 0;
}

static size_t
make_record(char bytes[RECORD_SIZE], int number)
{
	memset(bytes, 0, RECORD_SIZE); /* NUL bytes must pass */
	return (size_t)snprintf(bytes, RECORD_SIZE, "record %d\r\n", number) + 5;
}

static void
publish_many(struct bus *bus)
{
	char bytes[RECORD_SIZE];

	for (int i = 0; i < N_RECORDS; i++)
		assert_true(bus_publish(bus, i % 2 ? "c:odd" : "c:even", bytes, make_record(bytes, i)));
}

static void
expect_many(struct redis_subscriber *subscriber)
{
	char bytes[RECORD_SIZE];

	for (int i = 0; i < N_RECORDS; i++) {
		size_t len = make_record(bytes, i);
		redis_subscriber_expect_record(subscriber, i % 2 ? "c:odd" : "c:even", bytes, len);
	}
	assert_true(redis_subscriber_is_empty(subscriber));
}

static void
records_arrive_whole_and_in_order(void **state)
{
	struct redis_subscriber subscriber;
	struct bus *bus;
	int64_t published = metrics_get(METRIC_BUS_PUBLISHED);

	(void)state;
	redis_server_start(&server);
	redis_subscriber_init(&subscriber, &server);
	redis_subscriber_add(&subscriber, "c:even", 1);
	redis_subscriber_add(&subscriber, "c:odd", 2);
	assert_int_equal(bus_create(server.url, &bus, NULL), OK);
	publish_many(bus); /* also those that wait for the first connection */
	expect_many(&subscriber);
	WAIT_FOR(metrics_get(METRIC_BUS_PUBLISHED) == published + N_RECORDS);
	assert_true(bus_is_up(bus));
	assert_int_equal(metrics_get(METRIC_BUS_UP), 1);
	bus_destroy(bus);
	redis_subscriber_finish(&subscriber);
}

static void
what_is_queued_at_the_end_is_sent(void **state)
{
	struct redis_subscriber subscriber;
	struct bus *bus;

	(void)state;
	redis_server_start(&server);
	redis_subscriber_init(&subscriber, &server);
	redis_subscriber_add(&subscriber, "c:even", 1);
	redis_subscriber_add(&subscriber, "c:odd", 2);
	assert_int_equal(bus_create(server.url, &bus, NULL), OK);
	WAIT_FOR(bus_is_up(bus));
	publish_many(bus);
	bus_destroy(bus);
	expect_many(&subscriber);
	redis_subscriber_finish(&subscriber);
}

/* Publishing must work again; the first record after an outage may be lost with the connection that it found. */
static void
assert_publishes(struct bus *bus)
{
	struct redis_subscriber subscriber;

	redis_subscriber_init(&subscriber, &server);
	redis_subscriber_add(&subscriber, "c:again", 1);
	WAIT_FOR(bus_is_up(bus));
	assert_true(bus_publish(bus, "c:again", "x", 1));
	redis_subscriber_expect_record(&subscriber, "c:again", "x", 1);
	redis_subscriber_finish(&subscriber);
}

static void
redis_may_come_late_and_go(void **state)
{
	struct bus *bus;
	int64_t dropped = metrics_get(METRIC_BUS_DROPPED);

	(void)state;
	assert_int_equal(bus_create(server.url, &bus, NULL), OK);
	WAIT_FOR(!bus_publish(bus, "c:nobody", "x", 1)); /* the breaker opens */
	assert_false(bus_is_up(bus));
	redis_server_start(&server);
	assert_publishes(bus);
	assert_true(metrics_get(METRIC_BUS_DROPPED) > dropped);

	redis_server_stop(&server);
	WAIT_FOR(!bus_is_up(bus)); /* seen by the probe: nothing is published */
	assert_int_equal(metrics_get(METRIC_BUS_UP), 0);
	assert_false(bus_publish(bus, "c:nobody", "x", 1));
	redis_server_start(&server);
	assert_publishes(bus);

	redis_server_stop(&server); /* while it publishes: no SIGPIPE, and it recovers */
	WAIT_FOR(!bus_publish(bus, "c:nobody", "x", 1));
	redis_server_start(&server);
	assert_publishes(bus);
	bus_destroy(bus);
}

static void
a_stalled_redis_blocks_nobody(void **state)
{
	struct bus *bus;
	int64_t started_ms;

	(void)state;
	redis_server_start(&server);
	assert_int_equal(bus_create(server.url, &bus, NULL), OK);
	WAIT_FOR(bus_is_up(bus));
	kill(server.pid, SIGSTOP);
	WAIT_FOR(!bus_publish(bus, "c:nobody", "x", 1));
	assert_false(bus_is_up(bus));
	started_ms = clock_monotonic_ms();
	kill(server.pid, SIGCONT);
	WAIT_FOR(bus_is_up(bus));
	assert_true(clock_monotonic_ms() - started_ms < 3 * REDIS_PROBE_MS);

	kill(server.pid, SIGSTOP);
	bus_publish(bus, "c:nobody", "x", 1);
	started_ms = clock_monotonic_ms();
	bus_destroy(bus);
	assert_true(clock_monotonic_ms() - started_ms < 3 * 500);
	kill(server.pid, SIGCONT);
}

/* From the moment at which it is stalled until 1,000 calls after that at which it was found out. */
static void
no_call_waits_for_a_stalled_redis(void **state)
{
	enum { N_CALLS = 1000 };
	struct bus *bus;
	int64_t longest_us = 0;

	(void)state;
	redis_server_start(&server);
	assert_int_equal(bus_create(server.url, &bus, NULL), OK);
	WAIT_FOR(bus_is_up(bus));
	kill(server.pid, SIGSTOP);
	for (int n_since = 0; n_since < N_CALLS; n_since = bus_is_up(bus) ? 0 : n_since + 1) {
		int64_t began_us = clock_monotonic_us(), took_us;

		bus_publish(bus, "c:nobody", "x", 1);
		took_us = clock_monotonic_us() - began_us;
		longest_us = took_us > longest_us ? took_us : longest_us;
	}
	print_message("the longest call to a stalled Redis: %lld us\n", (long long)longest_us);
	assert_true(longest_us < 3 * REDIS_TIMEOUT_MS * 1000);
	kill(server.pid, SIGCONT);
	bus_destroy(bus);
}

static void
what_waits_is_bounded_in_bytes(void **state)
{
	enum { BOUND = 64 * 1024 * 1024 };
	char *big = calloc(1, BOUND);
	struct bus *bus;

	(void)state;
	redis_server_start(&server);
	kill(server.pid, SIGSTOP); /* it accepts and doesn't answer: until REDIS_TIMEOUT_MS is over, records wait */
	assert_int_equal(bus_create(server.url, &bus, NULL), OK);
	assert_false(bus_publish(bus, "c:nobody", big, BOUND)); /* with its channel just too much */
	bus_destroy(bus);
	kill(server.pid, SIGCONT);
	free(big);
}

static void
a_redis_that_refuses_is_down(void **state)
{
	struct redis_server *refusing = &server;
	struct bus *bus;
	int fd;
	char answer[64];

	(void)state;
	redis_server_start(refusing);
	fd = redis_connect(refusing);
	assert_int_equal(write(fd, "CONFIG SET requirepass x\r\n", 26), 26);
	assert_int_equal(read(fd, answer, sizeof answer), 5);
	assert_memory_equal(answer, "+OK\r\n", 5);
	close(fd);
	assert_int_equal(bus_create(refusing->url, &bus, NULL), OK);
	WAIT_FOR(!bus_publish(bus, "c:nobody", "x", 1));
	assert_false(bus_is_up(bus));
	bus_destroy(bus);
}

static void
nothing_to_destroy(void **state)
{
	struct bus *bus = NULL;
	struct fault fault = {0};

	(void)state;
	assert_int_equal(bus_create("http://localhost", &bus, &fault), ERR_INVALID);
	assert_null(bus);
	assert_string_equal(fault.code, "redis_url_invalid");
	bus_destroy(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(records_arrive_whole_and_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_queued_at_the_end_is_sent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(redis_may_come_late_and_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_stalled_redis_blocks_nobody, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_call_waits_for_a_stalled_redis, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_waits_is_bounded_in_bytes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_redis_that_refuses_is_down, set_up, tear_down),
		cmocka_unit_test(nothing_to_destroy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
