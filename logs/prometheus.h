/* Reads the text that a module serves on /metrics (Prometheus exposition format 0.0.4). One wrong
 * line does not cost the others; everything is bounded. Pure; any thread. */
#ifndef BERTH_LOGS_PROMETHEUS_H
#define BERTH_LOGS_PROMETHEUS_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROMETHEUS_NAME_MAX    128  /* longer names make a line wrong */
#define PROMETHEUS_VALUE_MAX   128  /* longer label values are cut */
#define PROMETHEUS_LABELS_MAX  16   /* more make a line wrong */
#define PROMETHEUS_SAMPLES_MAX 5000 /* reading stops there */

enum prometheus_type {
    PROMETHEUS_TYPE_UNTYPED,
    PROMETHEUS_TYPE_COUNTER,
    PROMETHEUS_TYPE_GAUGE,
    PROMETHEUS_TYPE_HISTOGRAM,
    PROMETHEUS_TYPE_SUMMARY,
    PROMETHEUS_TYPE_COUNT
};

struct prometheus_label {
    char name[PROMETHEUS_NAME_MAX];
    char value[PROMETHEUS_VALUE_MAX]; /* unescaped, then sanitised */
};

struct prometheus_sample {
    char name[PROMETHEUS_NAME_MAX];
    enum prometheus_type type; /* by the # TYPE line in front, UNTYPED without one */
    double value;              /* may be NAN or infinite */
    int64_t at_ms;             /* 0: none given */
    size_t n_labels;
    struct prometheus_label labels[PROMETHEUS_LABELS_MAX];
};

/* SAMPLE is borrowed for the call. */
typedef void (*prometheus_fn)(void *arg, const struct prometheus_sample *sample);

struct prometheus_report {
    size_t samples;
    size_t wrong; /* lines left out */
    bool cut;     /* there was more than PROMETHEUS_SAMPLES_MAX */
    struct err
        first; /* ERR_PROTOCOL about the first wrong line ("line 12: ..."); ERR_NONE without one */
};

/* The caller bounds LEN. */
struct prometheus_report prometheus_parse(const char *text, size_t len, prometheus_fn fn,
                                          void *arg);

/* The value of a label; NULL where the sample has none of that name. Borrowed. */
const char *prometheus_label(const struct prometheus_sample *sample, const char *name);

#endif
