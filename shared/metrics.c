/* The metrics of this process as atomics, and their text for Prometheus. */
#include "metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum kind { COUNTER, GAUGE, HISTOGRAM };

struct description {
	enum kind kind;
	const char *name;
	const char *help;
};

static const struct description descriptions[METRIC__MAX] = {
#define METRIC(id, kind, name, help) [METRIC_##id] = {kind, name, help},
#include "metrics.def"
#undef METRIC
};

/* Upper bounds of the buckets of every histogram. */
static const struct bound {
	int64_t us;
	const char *seconds;
} bounds[] = {
	{500, "0.0005"},  {1000, "0.001"},  {2500, "0.0025"}, {5000, "0.005"},  {10000, "0.01"},
	{25000, "0.025"}, {50000, "0.05"},  {100000, "0.1"},  {250000, "0.25"}, {500000, "0.5"},
	{1000000, "1"},   {2500000, "2.5"}, {5000000, "5"},   {10000000, "10"},
};

enum { N_BOUNDS = sizeof bounds / sizeof bounds[0] };

/* Shared by all threads. */
static struct value {
	atomic_bool touched;
	_Atomic int64_t number; /* a histogram's sum, in microseconds */
	_Atomic int64_t
		buckets[N_BOUNDS + 1]; /* each counts only what is above the bound before; the last one is +Inf */
} values[METRIC__MAX];

static struct value *
touch(enum metric metric)
{
	struct value *value = &values[metric];

	if (!atomic_load_explicit(&value->touched, memory_order_relaxed))
		atomic_store_explicit(&value->touched, true, memory_order_relaxed);
	return value;
}

void
metrics_add(enum metric metric, int64_t amount)
{
	assert(descriptions[metric].kind != HISTOGRAM);
	atomic_fetch_add_explicit(&touch(metric)->number, amount, memory_order_relaxed);
}

void
metrics_set(enum metric metric, int64_t value)
{
	assert(descriptions[metric].kind == GAUGE);
	atomic_store_explicit(&touch(metric)->number, value, memory_order_relaxed);
}

void
metrics_observe_us(enum metric metric, int64_t microseconds)
{
	struct value *value = touch(metric);
	size_t bucket = 0;

	assert(descriptions[metric].kind == HISTOGRAM);
	while (bucket < N_BOUNDS && microseconds > bounds[bucket].us)
		bucket++;
	atomic_fetch_add_explicit(&value->buckets[bucket], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&value->number, microseconds, memory_order_relaxed);
}

int64_t
metrics_get(enum metric metric)
{
	struct value *value = &values[metric];
	int64_t count = 0;

	if (descriptions[metric].kind != HISTOGRAM)
		return atomic_load_explicit(&value->number, memory_order_relaxed);
	for (size_t i = 0; i <= N_BOUNDS; i++)
		count += atomic_load_explicit(&value->buckets[i], memory_order_relaxed);
	return count;
}

static void
format_head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* The count is the sum of the buckets as read here, so that the two never disagree. */
static void
format_histogram(struct buf *out, const char *name, struct value *value)
{
	int64_t sum_us = atomic_load_explicit(&value->number, memory_order_relaxed);
	int64_t count = 0;

	for (size_t i = 0; i <= N_BOUNDS; i++) {
		count += atomic_load_explicit(&value->buckets[i], memory_order_relaxed);
		buf_printf(out, "%s_bucket{le=\"%s\"} %" PRId64 "\n", name, i < N_BOUNDS ? bounds[i].seconds : "+Inf",
			   count);
	}
	buf_printf(out, "%s_sum %.6f\n%s_count %" PRId64 "\n", name, (double)sum_us / 1e6, name, count);
}

/* One number out of a file of /proc: the one after `n_skipped` fields that end in a space, counted from the last ')'
 * (the name of a program may hold spaces) or from the start. -1 when it can't be read. */
static int64_t
read_proc(const char *path, size_t n_skipped)
{
	char text[1024];
	FILE *file = fopen(path, "re");
	size_t len = file == NULL ? 0 : fread(text, 1, sizeof text - 1, file);
	const char *at;

	if (file != NULL)
		fclose(file);
	text[len] = '\0';
	at = strrchr(text, ')');
	at = at == NULL ? text : at + 2;
	for (; n_skipped > 0 && at != NULL; n_skipped--)
		at = strchr(at, ' ') == NULL ? NULL : strchr(at, ' ') + 1;
	return at == NULL || *at == '\0' ? -1 : strtoll(at, NULL, 10);
}

/* proc(5): starttime, the 22nd field of stat, counts clock ticks since the machine was started. */
static void
format_process(struct buf *out)
{
	int64_t pages = read_proc("/proc/self/statm", 1);
	int64_t ticks = read_proc("/proc/self/stat", 19);
	struct timespec up;

	clock_gettime(CLOCK_BOOTTIME, &up);
	if (pages >= 0) {
		format_head(out, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.");
		buf_printf(out, "process_resident_memory_bytes %" PRId64 "\n", pages * sysconf(_SC_PAGESIZE));
	}
	if (ticks >= 0) {
		double booted_s = (double)clock_wall_ms() / 1e3 - (double)up.tv_sec - (double)up.tv_nsec / 1e9;

		format_head(out, "process_start_time_seconds", "gauge", "Start time of the process since the epoch.");
		buf_printf(out, "process_start_time_seconds %.2f\n",
			   booted_s + (double)ticks / (double)sysconf(_SC_CLK_TCK));
	}
}

void
metrics_format(struct buf *out)
{
	static const char *const types[] = {[COUNTER] = "counter", [GAUGE] = "gauge", [HISTOGRAM] = "histogram"};

	for (size_t i = 0; i < METRIC__MAX; i++) {
		const struct description *description = &descriptions[i];

		if (!atomic_load_explicit(&values[i].touched, memory_order_relaxed))
			continue;
		format_head(out, description->name, types[description->kind], description->help);
		if (description->kind == HISTOGRAM)
			format_histogram(out, description->name, &values[i]);
		else
			buf_printf(out, "%s %" PRId64 "\n", description->name,
				   atomic_load_explicit(&values[i].number, memory_order_relaxed));
	}
	format_process(out);
}
