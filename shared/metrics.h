/* Counters, gauges and histograms of this process, listed in metrics.def, shown in Prometheus' text format 0.0.4. */
#ifndef METRICS_H
#define METRICS_H

#include <stdint.h>

#include "base/buf.h"

/* One enumerator per row of metrics.def: METRIC_<ID>. */
enum metric {
#define METRIC(id, kind, name, help) METRIC_##id,
#include "metrics.def"
#undef METRIC
	METRIC__MAX
};

/* All of these may be called from any thread. */
void metrics_add(enum metric metric, int64_t amount);              /* a counter or gauge */
void metrics_set(enum metric metric, int64_t value);               /* a gauge */
void metrics_observe_us(enum metric metric, int64_t microseconds); /* a histogram of seconds */
int64_t metrics_get(enum metric metric);

/* Appends all metrics that were ever touched, and process_resident_memory_bytes, process_start_time_seconds. */
void metrics_format(struct buf *out);

#endif
