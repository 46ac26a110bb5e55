/* See metrics.h. */
#include "core/engine/metrics.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "logs/series.h"

#include <math.h>

#define METRICS_ANSWER_POINTS 24000 /* about 35 bytes each: below 1 MiB with the names */

struct metric {
    char name[96];
    char module[MODEL_NAME_MAX];
    char unit[8];
    struct series *series;
};

struct metrics {
    struct metric list[METRICS_SERIES_MAX];
    size_t n;
};

struct metrics *metrics_new(void)
{
    return xcalloc(1, sizeof(struct metrics));
}

void metrics_free(struct metrics *m)
{
    for (size_t i = 0; m && i < m->n; i++)
        series_free(m->list[i].series);
    free(m);
}

static struct metric *metric_of(struct metrics *m, const char *name, const char *module,
                                const char *unit)
{
    for (size_t i = 0; i < m->n; i++)
        if (str_eq(m->list[i].name, name) && str_eq(m->list[i].module, module))
            return &m->list[i];
    if (m->n == METRICS_SERIES_MAX)
        return NULL;
    struct metric *metric = &m->list[m->n++];
    str_sanitise_to(metric->name, sizeof(metric->name), name);
    str_sanitise_to(metric->module, sizeof(metric->module), module);
    STR_SET(metric->unit, unit);
    metric->series = series_new(METRICS_POINTS);
    return metric;
}

void metrics_add(struct metrics *m, const char *name, const char *module, const char *unit,
                 uint64_t at_ms, double value)
{
    if (!isfinite(value) || (value < 0 && str_eq(unit, "%")))
        return;
    struct metric *metric = metric_of(m, name, module ? module : "", unit);
    if (metric)
        (void)series_push(metric->series, at_ms, value);
}

void metrics_sample_vm(struct metrics *m, const struct vm_status *status, uint64_t at_ms)
{
    if (status->state != VM_STATE_RUNNING)
        return;
    metrics_add(m, "vm.cpu", NULL, "%", at_ms, status->cpu_percent);
    if (status->memory_total)
        metrics_add(m, "vm.memory", NULL, "B", at_ms, (double)status->memory_used);
    if (status->disk_total)
        metrics_add(m, "vm.disk", NULL, "B", at_ms, (double)status->disk_used);
    for (size_t i = 0; i < status->n_modules; i++) {
        const struct module_status *module = &status->modules[i];
        if (module->state != MODULE_STATE_RUNNING)
            continue;
        metrics_add(m, "module.cpu", module->name, "%", at_ms, module->cpu_percent);
        if (module->memory)
            metrics_add(m, "module.memory", module->name, "B", at_ms, (double)module->memory);
    }
}

static cJSON *metric_json(const struct metric *metric, uint64_t since_ms, size_t max)
{
    cJSON *json = cJSON_CreateObject();
    json_add_str(json, "name", metric->name);
    json_add_str(json, "unit", metric->unit);
    if (*metric->module)
        json_add_str(json, "module", metric->module);
    cJSON *points = json_add_array(json, "points");
    size_t count = series_count(metric->series);
    size_t from = since_ms ? series_find(metric->series, since_ms + 1) : 0;
    if (count - from > max)
        from = count - max;
    for (size_t i = from; i < count; i++) {
        struct series_point point;
        if (!series_at(metric->series, i, &point))
            break;
        cJSON *pair = cJSON_CreateArray();
        json_push(pair, cJSON_CreateNumber((double)point.at_ms));
        json_push(pair, cJSON_CreateNumber(round(point.value * 1000) / 1000));
        json_push(points, pair);
    }
    return json;
}

cJSON *metrics_json(const struct metrics *m, uint64_t since_ms)
{
    cJSON *json = cJSON_CreateObject();
    cJSON *list = json_add_array(json, "series");
    size_t max = m->n ? METRICS_ANSWER_POINTS / m->n : 0;
    for (size_t i = 0; i < m->n; i++)
        json_push(list, metric_json(&m->list[i], since_ms, max));
    return json;
}
