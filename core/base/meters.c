/* See meters.h. */
#include "core/base/meters.h"

#include "core/base/mem.h"
#include "core/base/quantile.h"
#include "core/base/str.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS    1024
#define RECENT     256
#define RECENT_MAX 1024 /* bytes of values that are worth it */

struct meter {
    const struct meter_kind *kind;
    char *labels;        /* as they are rendered: k="v",k="v" */
    struct meter *chain; /* in its bucket */
    uint64_t count;      /* a counter's or a gauge's value; how many a summary has of */
    double sum;
    struct quantile *quantile; /* of a summary */
};

/* A series that was asked for lately, by the values as they were given. To render these takes
 * microseconds, and who counts messages asks for the same ones each time. */
struct recent {
    struct meter *series; /* NULL: none */
    struct buf values;    /* each with its NUL */
};

struct meters {
    const struct meter_kind *kinds;
    size_t n_kinds;
    char *common;
    struct meter **series;
    size_t n;
    struct meter *buckets[BUCKETS];
    struct recent recent[RECENT];
};

static const char *const type_names[] = {
    [METER_COUNTER] = "counter",
    [METER_GAUGE] = "gauge",
    [METER_SUMMARY] = "summary",
};

/* k="v", with what a client may have put into v made harmless. */
static void put_label(struct buf *out, const char *name, size_t len, const char *value)
{
    auto_buf struct buf clean = {0};

    str_sanitise(&clean, value, strnlen(value, METERS_VALUE_MAX));
    buf_printf(out, "%s%.*s=\"", out->len > 0 ? "," : "", (int)len, name);
    for (const char *c = buf_str(&clean); *c; c++) {
        if (*c == '"' || *c == '\\')
            buf_putc(out, '\\');
        buf_putc(out, *c);
    }
    buf_putc(out, '"');
}

struct meters *meters_new(const struct meter_kind *kinds, size_t n_kinds)
{
    struct meters *m = xcalloc(1, sizeof(*m));

    m->kinds = kinds;
    m->n_kinds = n_kinds;
    m->common = xstrdup("");
    return m;
}

void meters_free(struct meters *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->n; i++) {
        free(m->series[i]->labels);
        free(m->series[i]->quantile);
        free(m->series[i]);
    }
    for (size_t i = 0; i < RECENT; i++)
        buf_done(&m->recent[i].values);
    free(m->series);
    free(m->common);
    free(m);
}

void meters_set_common(struct meters *m, const char *const *labels)
{
    struct buf text = {0};

    for (; *labels; labels += 2)
        put_label(&text, labels[0], strlen(labels[0]), labels[1]);
    free(m->common);
    m->common = buf_steal(&text);
}

static void put_labels(struct buf *out, const struct meter_kind *kind, const char *const *labels)
{
    for (const char *name = kind->labels; *name; name += strcspn(name, " ") + 1)
        put_label(out, name, strcspn(name, " "), *labels++);
    if (kind->tags == METER_TELEMETRY)
        put_label(out, "ms_telemetry", strlen("ms_telemetry"), "True");
}

static struct meter **bucket_of(struct meters *m, const struct meter_kind *kind, const char *labels)
{
    return &m->buckets[str_hash(STR_HASH ^ (uint32_t)(kind - m->kinds), labels) % BUCKETS];
}

static struct meter *find(struct meters *m, const struct meter_kind *kind, const char *labels)
{
    struct meter *s = *bucket_of(m, kind, labels);

    while (s && !(s->kind == kind && str_eq(s->labels, labels)))
        s = s->chain;
    return s;
}

static struct meter *create(struct meters *m, const struct meter_kind *kind, const char *labels)
{
    struct meter *s = xcalloc(1, sizeof(*s));
    struct meter **bucket = bucket_of(m, kind, labels);

    s->kind = kind;
    s->labels = xstrdup(labels);
    if (kind->type == METER_SUMMARY)
        s->quantile = xcalloc(1, sizeof(*s->quantile));
    s->chain = *bucket;
    *bucket = s;
    m->series = xreallocarray(m->series, m->n + 1, sizeof(struct meter *));
    m->series[m->n++] = s;
    return s;
}

static struct meter *need(struct meters *m, const struct meter_kind *k, const char *const *labels)
{
    static const char *const other[METERS_LABELS_MAX] = {"other", "other", "other", "other",
                                                         "other"};
    auto_buf struct buf text = {0};
    struct meter *s;

    put_labels(&text, k, labels);
    s = find(m, k, buf_str(&text));
    if (s || m->n < METERS_MAX)
        return s ? s : create(m, k, buf_str(&text));
    buf_clear(&text);
    put_labels(&text, k, other);
    s = find(m, k, buf_str(&text));
    return s ? s : create(m, k, buf_str(&text));
}

static size_t count_labels(const struct meter_kind *kind)
{
    size_t n = 0;

    for (const char *c = kind->labels; *c; c++)
        n += *c == ' ';
    return n;
}

static bool is_recent(const struct recent *r, const struct meter_kind *kind,
                      const char *const *labels, size_t n)
{
    const char *value = buf_str(&r->values);

    if (!r->series || r->series->kind != kind)
        return false;
    for (size_t i = 0; i < n; i++, value += strlen(value) + 1)
        if (strcmp(value, labels[i]) != 0)
            return false;
    return true;
}

static void remember(struct recent *r, struct meter *series, const char *const *labels, size_t n)
{
    buf_clear(&r->values);
    for (size_t i = 0; i < n; i++)
        buf_append(&r->values, labels[i], strlen(labels[i]) + 1);
    r->series = r->values.len <= RECENT_MAX ? series : NULL;
    if (!r->series)
        buf_done(&r->values);
}

struct meter *meters_get(struct meters *m, size_t kind, const char *const *labels)
{
    const struct meter_kind *k = &m->kinds[kind];
    size_t n = count_labels(k);
    uint32_t hash = STR_HASH + (uint32_t)kind;

    for (size_t i = 0; i < n; i++)
        hash = str_hash(hash, labels[i]);

    struct recent *r = &m->recent[hash % RECENT];

    if (is_recent(r, k, labels, n))
        return r->series;

    struct meter *series = need(m, k, labels);

    remember(r, series, labels, n);
    return series;
}

void meter_add(struct meter *s, uint64_t n)
{
    assert(s->kind->type == METER_COUNTER);
    s->count += n;
}

void meter_set(struct meter *s, uint64_t value)
{
    assert(s->kind->type == METER_GAUGE);
    s->count = value;
}

void meter_observe(struct meter *s, double value, uint64_t mono_ms)
{
    assert(s->kind->type == METER_SUMMARY);
    s->count++;
    s->sum += value;
    quantile_add(s->quantile, value, mono_ms);
}

/* ---- text ---- */

/* A line up to its value. END: what the name ends in; QUANTILE: that label's value, or NULL. */
static void put_name(const struct meters *m, const struct meter *s, const char *end,
                     const char *quantile, struct buf *out)
{
    const char *const groups[] = {s->kind->tags == METER_BARE ? "" : m->common, s->labels};
    const char *before = "{";

    buf_printf(out, "%s%s", s->kind->name, end);
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        if (!*groups[i])
            continue;
        buf_printf(out, "%s%s", before, groups[i]);
        before = ",";
    }
    if (quantile)
        buf_printf(out, "%squantile=\"%s\"", before, quantile);
    buf_puts(out, *before == ',' || quantile ? "} " : " ");
}

static void put_summary(const struct meters *m, const struct meter *s, uint64_t mono_ms,
                        struct buf *out)
{
    static const struct {
        const char *name;
        double at;
    } quantiles[] = {{"0.1", 0.1}, {"0.5", 0.5}, {"0.9", 0.9}, {"0.99", 0.99}};

    for (size_t i = 0; i < ARRAY_LEN(quantiles); i++) {
        double value = quantile_value(s->quantile, quantiles[i].at, mono_ms);

        put_name(m, s, "", quantiles[i].name, out);
        if (isnan(value))
            buf_puts(out, "NaN\n");
        else
            buf_printf(out, "%.6g\n", value);
    }
    put_name(m, s, "_sum", NULL, out);
    buf_printf(out, "%.10g\n", s->sum);
    put_name(m, s, "_count", NULL, out);
    buf_printf(out, "%" PRIu64 "\n", s->count);
}

void meters_render(struct meters *m, uint64_t mono_ms, struct buf *out)
{
    for (const struct meter_kind *k = m->kinds; k < m->kinds + m->n_kinds; k++) {
        bool named = false;

        for (size_t i = 0; i < m->n; i++) {
            const struct meter *s = m->series[i];

            if (s->kind != k)
                continue;
            if (!named)
                buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", k->name, k->help, k->name,
                           type_names[k->type]);
            named = true;
            if (k->type == METER_SUMMARY) {
                put_summary(m, s, mono_ms, out);
            } else {
                put_name(m, s, "", NULL, out);
                buf_printf(out, "%" PRIu64 "\n", s->count);
            }
        }
    }
}
