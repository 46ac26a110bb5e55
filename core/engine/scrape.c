/* See scrape.h. A module's address is asked of the container engine once a run of the module; the
 * built-in runtime, which is no container, serves on the guest's own. */
#include "core/engine/scrape.h"

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/engine/guest.h"
#include "core/engine/metrics.h"
#include "logs/prometheus.h"

#include <string.h>

#define SCRAPE_PORT       9600
#define SCRAPE_PATH       "/metrics"
#define SCRAPE_MAX        (256U << 10)
#define SCRAPE_PAUSE_MS   10000  /* between rounds */
#define SCRAPE_QUIET_MS   300000 /* a module that serves nothing is left alone this long */
#define SCRAPE_SERIES_MAX 24     /* of one module */

struct target {
    char name[MODEL_NAME_MAX];
    uint64_t started_ms;
    char address[64];
    bool system;             /* edgeAgent, edgeHub */
    uint64_t quiet_until_ms; /* monotonic */
};

struct scrape {
    struct guest *guest;
    struct metrics *metrics;
    struct target targets[MODEL_MODULES_MAX];
    size_t n;
    size_t at;               /* the one that is asked */
    struct guest_call *call; /* under way; NULL between rounds */
    uint64_t next_ms;        /* monotonic */
    unsigned kept;           /* samples of the module at work */
};

static void scrape_next(struct scrape *s);

struct scrape *scrape_new(struct guest *guest, struct metrics *metrics)
{
    struct scrape *s = xcalloc(1, sizeof(*s));
    s->guest = guest;
    s->metrics = metrics;
    return s;
}

void scrape_free(struct scrape *s)
{
    if (!s)
        return;
    guest_call_cancel(s->call);
    free(s);
}

/* ---- one module ---- */

static void leave_alone(struct scrape *s)
{
    s->targets[s->at].quiet_until_ms = clock_mono_ms() + SCRAPE_QUIET_MS;
}

/* Labels that Microsoft's runtime and modules give to all they serve. */
static bool is_common(const char *label)
{
    static const char *const names[] = {"iothub", "edge_device", "instance_number", "ms_telemetry"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(label, names[i]))
            return true;
    return false;
}

/* "prom.NAME" or "prom.NAME{label=value}": enough to tell the series of one module apart. */
static void name_sample(const struct prometheus_sample *sample, char *to, size_t size)
{
    const struct prometheus_label *label = sample->labels;
    const struct prometheus_label *end = label + sample->n_labels;
    while (label < end && is_common(label->name))
        label++;
    if (label < end)
        (void)str_format(to, size, "prom.%s{%s=%s}", sample->name, label->name, label->value);
    else
        (void)str_format(to, size, "prom.%s", sample->name);
}

/* The runtime serves much: its summaries are left out, and what it says of modules and disks, which
 * are looked at already. */
static bool is_wanted(const struct target *t, const struct prometheus_sample *sample)
{
    return !t->system ||
           (sample->type != PROMETHEUS_TYPE_SUMMARY && !prometheus_label(sample, "module_name") &&
            !prometheus_label(sample, "disk_name") &&
            !prometheus_label(sample, "host_information"));
}

/* edgeAgent serves the edge hub's, too. */
static const char *module_of(const struct target *t, const struct prometheus_sample *sample)
{
    return t->system && str_starts(sample->name, "edgehub_") ? "edgeHub" : t->name;
}

static void on_sample(void *arg, const struct prometheus_sample *sample)
{
    struct scrape *s = arg;
    const struct target *t = &s->targets[s->at];
    char name[96];
    if (!is_wanted(t, sample) || s->kept++ >= SCRAPE_SERIES_MAX)
        return;
    name_sample(sample, name, sizeof(name));
    metrics_add(s->metrics, name, module_of(t, sample), "", clock_wall_ms(), sample->value);
}

static void on_metrics(void *arg, const struct buf *body, const struct err *err)
{
    struct scrape *s = arg;
    s->call = NULL;
    s->kept = 0;
    if (err)
        leave_alone(s);
    else
        (void)prometheus_parse(buf_str(body), body->len, on_sample, s);
    s->at++;
    scrape_next(s);
}

/* The first address that the container has in any of its networks. */
static const char *address_of(const cJSON *container)
{
    const cJSON *settings = json_get(container, "NetworkSettings");
    const cJSON *network = NULL;
    cJSON_ArrayForEach(network, json_get(settings, "Networks"))
    {
        if (*json_str(network, "IPAddress", ""))
            return json_str(network, "IPAddress", "");
    }
    return json_str(settings, "IPAddress", "");
}

static void ask_metrics(struct scrape *s)
{
    const struct target *t = &s->targets[s->at];
    s->call =
        guest_get(s->guest, t->address, SCRAPE_PORT, SCRAPE_PATH, SCRAPE_MAX, on_metrics, s, NULL);
}

static void on_inspected(void *arg, const struct buf *body, const struct err *err)
{
    struct scrape *s = arg;
    struct target *t = &s->targets[s->at];
    auto_json cJSON *json = err ? NULL : json_parse(buf_str(body), body->len, NULL);
    s->call = NULL;
    STR_SET(t->address, address_of(json));
    if (!*t->address && str_eq(t->name, "edgeAgent")) /* no container: it serves for both there */
        STR_SET(t->address, "127.0.0.1");
    if (*t->address) {
        ask_metrics(s);
        return;
    }
    leave_alone(s);
    s->at++;
    scrape_next(s);
}

/* ---- a round ---- */

/* Ends where no module is left, or where the guest does not answer any more. */
static void scrape_next(struct scrape *s)
{
    uint64_t now = clock_mono_ms();
    while (s->at < s->n && s->targets[s->at].quiet_until_ms > now)
        s->at++;
    if (s->at >= s->n)
        return;
    if (*s->targets[s->at].address)
        ask_metrics(s);
    else
        s->call = guest_inspect(s->guest, s->targets[s->at].name, on_inspected, s, NULL);
}

/* The modules that run now; what is known of one is kept as long as that run of it. */
static void take_modules(struct scrape *s, const struct vm_status *status)
{
    auto_free struct target *old = xcalloc(MODEL_MODULES_MAX, sizeof(*old));
    size_t n_old = s->n;
    memcpy(old, s->targets, sizeof(s->targets));
    s->n = 0;
    for (size_t i = 0; i < status->n_modules; i++) {
        const struct module_status *module = &status->modules[i];
        if (module->state != MODULE_STATE_RUNNING)
            continue;
        struct target *t = &s->targets[s->n++];
        *t = (struct target){.started_ms = module->started_ms, .system = module->system};
        STR_SET(t->name, module->name);
        for (size_t k = 0; k < n_old; k++)
            if (str_eq(old[k].name, t->name) && old[k].started_ms == t->started_ms)
                *t = old[k];
    }
}

void scrape_round(struct scrape *s, const struct vm_status *status)
{
    uint64_t now = clock_mono_ms();
    if (s->call || now < s->next_ms)
        return;
    s->next_ms = now + SCRAPE_PAUSE_MS;
    take_modules(s, status);
    s->at = 0;
    scrape_next(s);
}
