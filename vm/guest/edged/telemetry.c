/* See telemetry.h. */
#include "vm/guest/edged/telemetry.h"

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/edged/agent_metrics.h"
#include "vm/guest/edged/availability.h"
#include "vm/guest/edged/edge_hub_settings.h"
#include "vm/guest/edged/exporter.h"
#include "vm/guest/edged/resources.h"

#include <strings.h>

struct telemetry {
    struct telemetry_context c;
    struct meters *meters;
    const struct agent *agent; /* NULL: not begun */
    const struct edge_hub *hub;
    struct availability availability;
    struct resources *resources;
    struct exporter *exporter;
};

struct telemetry *telemetry_new(const struct telemetry_context *context)
{
    struct telemetry *t = xcalloc(1, sizeof(*t));
    t->c = *context;
    t->meters = agent_metrics_new();
    return t;
}

void telemetry_free(struct telemetry *t)
{
    if (!t)
        return;
    exporter_free(t->exporter);
    resources_free(t->resources);
    meters_free(t->meters);
    free(t);
}

struct meters *telemetry_meters(const struct telemetry *t)
{
    return t->meters;
}

void telemetry_set_device(struct telemetry *t, const struct device *device)
{
    agent_metrics_set_device(t->meters, device);
}

static void look_at_modules(struct telemetry *t)
{
    static const struct module_spec always = {.running = true};
    struct module_view views[PLAN_TRACKS_MAX + 2] = {
        {.name = "edgeAgent", .spec = &always, .status = STATUS_RUNNING}};
    size_t n = 1 + edge_hub_view(t->hub, &views[1]);
    n += agent_modules(t->agent, views + n, PLAN_TRACKS_MAX);
    availability_look(&t->availability, views, n, clock_mono_ms(), t->meters);
}

void telemetry_look(struct telemetry *t)
{
    if (!t->agent)
        return;
    look_at_modules(t);
    exporter_look(t->exporter);
}

/* In the configuration, or in the deployment, as the Azure portal sets it. */
static bool enabled(const struct telemetry *t)
{
    const struct deployment *d = agent_deployment(t->agent);
    const struct module_spec *agent = d ? d->agent : NULL;
    for (size_t i = 0; agent && i < agent->n_env; i++)
        if (str_eq(agent->env[i].name, "MetricsEnabled"))
            return strcasecmp(agent->env[i].value, "false") != 0;
    return t->c.config->metrics;
}

static bool on_render(void *arg, struct buf *out)
{
    struct telemetry *t = arg;
    if (!enabled(t))
        return false;
    look_at_modules(t);
    meters_render(t->meters, clock_mono_ms(), out);
    return true;
}

void telemetry_begin(struct telemetry *t, const struct agent *agent, const struct edge_hub *hub)
{
    auto_free char *hub_socket = xasprintf("%s/hub/" EDGE_HUB_STATE_SOCKET, t->c.state_dir);
    const struct exporter_context exporter = {
        .loop = t->c.loop,
        .docker = t->c.docker,
        .network = t->c.config->network,
        .hub_socket = hub_socket,
        .render = on_render,
        .arg = t,
    };
    const struct resources_context resources = {
        .loop = t->c.loop,
        .docker = t->c.docker,
        .containers = agent_containers(agent),
        .hub = hub,
        .meters = t->meters,
        .started_ms = t->c.started_ms,
        .every_s = t->c.config->metrics_every_s,
    };
    t->agent = agent;
    t->hub = hub;
    t->exporter = exporter_new(&exporter);
    if (t->c.config->metrics)
        t->resources = resources_new(&resources);
}
