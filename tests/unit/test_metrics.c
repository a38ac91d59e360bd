/* metrics: counting, and the text that Prometheus reads. The metrics used stand for any of their kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "metrics.h"

static void
format(struct buf *out)
{
	buf_init(out, 0);
	metrics_format(out);
}

static void
assert_line(const struct buf *out, const char *line)
{
	const char *at = strstr(out->bytes, line);

	if (at == NULL || (at != out->bytes && at[-1] != '\n') || at[strlen(line)] != '\n')
		fail_msg("no line \"%s\" in:\n%s", line, out->bytes);
}

static void
untouched_metrics_are_not_shown(void **state)
{
	struct buf out;

	(void)state;
	format(&out);
	assert_null(strstr(out.bytes, "stonechat_"));
	metrics_add(METRIC_GAPS, 0);
	buf_finish(&out);
	format(&out);
	assert_line(&out, "stonechat_gap_markers_total 0");
	buf_finish(&out);
}

static void
counters_and_gauges_count(void **state)
{
	struct buf out;

	(void)state;
	metrics_add(METRIC_HTTP_REQUESTS, 2);
	metrics_add(METRIC_HTTP_REQUESTS, 3);
	metrics_set(METRIC_SOCKETS, 7);
	metrics_add(METRIC_SOCKETS, -2);
	metrics_set(METRIC_BUS_UP, 0);
	assert_int_equal(metrics_get(METRIC_HTTP_REQUESTS), 5);
	assert_int_equal(metrics_get(METRIC_SOCKETS), 5);
	assert_int_equal(metrics_get(METRIC_FRAMES_IN), 0);
	format(&out);
	assert_line(&out, "# HELP stonechat_http_requests_total REST requests answered");
	assert_line(&out, "# TYPE stonechat_http_requests_total counter");
	assert_line(&out, "stonechat_http_requests_total 5");
	assert_line(&out, "# TYPE stonechat_sockets gauge");
	assert_line(&out, "stonechat_sockets 5");
	assert_line(&out, "stonechat_bus_up 0");
	buf_finish(&out);
}

static void
histograms_are_cumulative(void **state)
{
	static const int64_t observed_us[] = {0, 500, 501, 30000, 10000000, 10000001, 60000000};
	struct buf out;

	(void)state;
	for (size_t i = 0; i < sizeof observed_us / sizeof observed_us[0]; i++)
		metrics_observe_us(METRIC_COMMIT_SECONDS, observed_us[i]);
	assert_int_equal(metrics_get(METRIC_COMMIT_SECONDS), 7);
	format(&out);
	assert_line(&out, "# TYPE stonechat_commit_seconds histogram");
	assert_line(&out, "stonechat_commit_seconds_bucket{le=\"0.0005\"} 2");
	assert_line(&out, "stonechat_commit_seconds_bucket{le=\"0.001\"} 3");
	assert_line(&out, "stonechat_commit_seconds_bucket{le=\"0.025\"} 3");
	assert_line(&out, "stonechat_commit_seconds_bucket{le=\"0.05\"} 4");
	assert_line(&out, "stonechat_commit_seconds_bucket{le=\"10\"} 5");
	assert_line(&out, "stonechat_commit_seconds_bucket{le=\"+Inf\"} 7");
	assert_line(&out, "stonechat_commit_seconds_sum 80.031002");
	assert_line(&out, "stonechat_commit_seconds_count 7");
	buf_finish(&out);
}

static double
value_of(const struct buf *out, const char *name)
{
	const char *at = strstr(out->bytes, name);

	assert_non_null(at);
	return strtod(at + strlen(name), NULL);
}

static void
process_is_described(void **state)
{
	double now_s = (double)clock_wall_ms() / 1e3;
	struct buf out;
	double started_s;

	(void)state;
	format(&out);
	assert_true(value_of(&out, "\nprocess_resident_memory_bytes ") > 100000);
	started_s = value_of(&out, "\nprocess_start_time_seconds ");
	assert_true(started_s > now_s - 600 && started_s < now_s + 1);
	buf_finish(&out);
}

enum { N_THREADS = 4, N_ROUNDS = 10000 };

static void *
count(void *argument)
{
	(void)argument;
	for (int i = 0; i < N_ROUNDS; i++) {
		metrics_add(METRIC_FRAMES_OUT, 1);
		metrics_observe_us(METRIC_DELIVERY_SECONDS, i);
	}
	return NULL;
}

static void
threads_lose_no_count(void **state)
{
	pthread_t threads[N_THREADS];

	(void)state;
	for (int i = 0; i < N_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count, NULL), 0);
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(metrics_get(METRIC_FRAMES_OUT), N_THREADS * N_ROUNDS);
	assert_int_equal(metrics_get(METRIC_DELIVERY_SECONDS), N_THREADS * N_ROUNDS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(untouched_metrics_are_not_shown), cmocka_unit_test(counters_and_gauges_count),
		cmocka_unit_test(histograms_are_cumulative),       cmocka_unit_test(process_is_described),
		cmocka_unit_test(threads_lose_no_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
