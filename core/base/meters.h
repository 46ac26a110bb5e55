/* What a program counts and measures, as Prometheus reads it (text format 0.0.4). A program's table
 * says which meters there are; one of them with the values of its labels is a series. Who counts
 * often keeps its pointer. The number of series is bounded, whatever names peers give themselves,
 * and so is the text. Loop thread only. */
#ifndef BERTH_BASE_METERS_H
#define BERTH_BASE_METERS_H

#include "core/base/buf.h"

#include <stdint.h>

#define METERS_MAX        2048 /* series */
#define METERS_LABELS_MAX 5    /* of one series */
#define METERS_VALUE_MAX  1024 /* of a label; the rest is cut off */

enum meter_type { METER_COUNTER, METER_GAUGE, METER_SUMMARY };

/* Labels beside its own. */
enum meter_tags {
    METER_BARE,      /* none */
    METER_COMMON,    /* those of all */
    METER_TELEMETRY, /* and ms_telemetry="True", by which Microsoft's collector chooses */
};

struct meter_kind {
    const char *name; /* whole: "edgehub_gettwin_total" */
    enum meter_type type;
    enum meter_tags tags;
    const char *labels; /* names, with a space behind each */
    const char *help;
};

struct meters;
struct meter;

/* KINDS are borrowed for the life of what is made. */
struct meters *meters_new(const struct meter_kind *kinds, size_t n_kinds);
void meters_free(struct meters *m); /* NULL is fine */

/* The labels of all but the bare: names and values in turn, behind them a NULL. */
void meters_set_common(struct meters *m, const char *const *labels);

/* The series of kind number KIND with these label values, in the order of the kind's row; made
 * where there is none. Never NULL: past METERS_MAX, one for all the rest of a kind, with "other" as
 * each value. It holds as long as M does. */
struct meter *meters_get(struct meters *m, size_t kind, const char *const *labels);

void meter_add(struct meter *s, uint64_t n);                         /* a counter */
void meter_set(struct meter *s, uint64_t value);                     /* a gauge */
void meter_observe(struct meter *s, double value, uint64_t mono_ms); /* a summary */

/* The text, appended. */
void meters_render(struct meters *m, uint64_t mono_ms, struct buf *out);

#endif
