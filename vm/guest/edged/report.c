/* See report.h. */
#include "vm/guest/edged/report.h"

#include "core/base/clock.h"
#include "core/base/str.h"
#include "core/base/version.h"
#include "vm/guest/edged/create_options.h"

#include <string.h>
#include <sys/utsname.h>

static void add_time(cJSON *to, const char *key, uint64_t ms)
{
    char text[CLOCK_TEXT_MAX];
    clock_format(text, sizeof(text), ms);
    json_add_str(to, key, ms ? text : "0001-01-01T00:00:00Z");
}

void report_describe(const struct module_view *v, char *to, size_t size)
{
    char next[CLOCK_TEXT_MAX] = "";
    if (v->next_ms)
        clock_format(next, sizeof(next), v->next_ms);
    if (*v->activity)
        (void)str_format(to, size, "%s%s%s", v->activity, *v->problem ? "; last attempt: " : "",
                         v->problem);
    else if (*v->problem)
        (void)str_format(to, size, "%s%s%s", v->problem, *next ? "; next attempt " : "", next);
    else if (v->status == STATUS_BACKOFF)
        (void)str_format(to, size, "exit code %d; restart %u of %d %s%s", v->container->exit_code,
                         v->restarts + 1, RESTART_MAX, *next ? "at " : "", next);
    else if (v->status == STATUS_FAILED && v->restarts >= RESTART_MAX)
        (void)str_format(to, size, "exit code %d; given up after %u restarts",
                         v->container ? v->container->exit_code : 0, v->restarts);
    else if (!v->container)
        (void)str_copy(to, size, "waiting to be created");
    else
        to[0] = '\0';
}

static void add_settings(cJSON *module, const char *image, const char *hash, const char *options)
{
    cJSON *settings = json_add_obj(module, "settings");
    json_add_str(settings, "image", image);
    if (*hash)
        json_add_str(settings, "imageHash", hash);
    create_options_add_chunks(settings, options);
}

static void add_env(cJSON *module, const struct module_spec *spec)
{
    cJSON *env = json_add_obj(module, "env");
    for (size_t i = 0; i < spec->n_env; i++)
        json_add_str(json_add_obj(env, spec->env[i].name), "value", spec->env[i].value);
}

static void add_spec(cJSON *module, const struct module_spec *spec)
{
    json_add_str(module, "type", "docker");
    json_add_str(module, "status", spec->running ? "running" : "stopped");
    json_add_str(module, "restartPolicy", restart_policy_name(spec->restart));
    json_add_str(module, "imagePullPolicy", spec->pull ? "on-create" : "never");
    if (spec->startup_order != DEPLOYMENT_ORDER_LAST)
        json_add_u64(module, "startupOrder", spec->startup_order);
    if (spec->version)
        json_add_str(module, "version", spec->version);
    add_env(module, spec);
}

static cJSON *module_report(const struct module_view *v, bool running)
{
    char text[400];
    const struct container *c = v->container;
    cJSON *module = cJSON_CreateObject();
    add_spec(module, v->spec);
    report_describe(v, text, sizeof(text));
    json_add_str(module, "runtimeStatus", running ? module_status_name(v->status) : "unknown");
    if (text[0] && running)
        json_add_str(module, "statusDescription", text);
    json_add_num(module, "exitCode", c ? c->exit_code : 0);
    add_time(module, "lastStartTimeUtc", c ? c->started_ms : 0);
    add_time(module, "lastExitTimeUtc", c && c->ended ? c->finished_ms : 0);
    json_add_u64(module, "restartCount", v->restarts);
    add_time(module, "lastRestartTimeUtc", v->restarted_ms);
    add_settings(module, v->spec->image, c ? c->image_hash : "", v->spec->create_options);
    return module;
}

/* The agent is this process: the deployment's image for it is not used. */
static cJSON *agent_report(uint64_t started_ms, bool running)
{
    char image[48];
    (void)str_format(image, sizeof(image), REPORT_AGENT_IMAGE_FMT, BERTH_VERSION);
    cJSON *module = cJSON_CreateObject();
    json_add_str(module, "type", "docker");
    json_add_u64(module, "startupOrder", 0);
    json_add_str(module, "imagePullPolicy", "on-create");
    json_add_num(module, "exitCode", 0);
    json_add_str(module, "runtimeStatus", running ? "running" : "unknown");
    add_time(module, "lastStartTimeUtc", started_ms);
    add_time(module, "lastExitTimeUtc", 0);
    add_settings(module, image, "", "{}");
    (void)json_add_obj(module, "env");
    return module;
}

/* HUB: NULL where it is not deployed. */
static void add_status(cJSON *report, const struct agent *agent, const struct module_view *hub,
                       bool running)
{
    char problem[400];
    uint64_t version = 0;
    const char *text = "";
    enum deployment_code code = agent_status(agent, &version, &text);
    if (code == DEPLOYMENT_OK && hub && *hub->problem) {
        (void)str_format(problem, sizeof(problem), "%s: %s", hub->name, hub->problem);
        code = DEPLOYMENT_FAILED;
        text = problem;
    }
    if (!running) {
        code = DEPLOYMENT_NOT_RUNNING;
        text = "Agent is not running";
    }
    json_add_u64(report, "lastDesiredVersion", version);
    cJSON *status = json_add_obj(report, "lastDesiredStatus");
    json_add_u64(status, "code", (uint64_t)code);
    json_add_str(status, "description", text);
}

static void add_runtime(cJSON *report, const struct deployment *d)
{
    struct utsname host;
    bool known = uname(&host) == 0;
    cJSON *runtime = json_add_obj(report, "runtime");
    json_add_str(runtime, "type", d ? "docker" : "Unknown");
    if (d) {
        cJSON *settings = json_parse(d->runtime_settings, strlen(d->runtime_settings), NULL);
        json_add(runtime, "settings", settings ? settings : cJSON_CreateObject());
    }
    cJSON *platform = json_add_obj(runtime, "platform");
    json_add_str(platform, "os", "linux");
    json_add_str(platform, "architecture", known ? host.machine : "unknown");
    json_add_str(platform, "version", BERTH_VERSION);
}

cJSON *report_build(const struct agent *agent, const struct edge_hub *hub, uint64_t started_ms,
                    bool running)
{
    struct module_view hub_view;
    struct module_view views[PLAN_TRACKS_MAX];
    const struct deployment *d = agent_deployment(agent);
    cJSON *report = cJSON_CreateObject();
    json_add_str(report, "schemaVersion", "1.0");
    json_add_str(json_add_obj(report, "version"), "version", BERTH_VERSION);
    bool has_hub = edge_hub_view(hub, &hub_view);
    add_status(report, agent, has_hub ? &hub_view : NULL, running);
    add_runtime(report, d);

    cJSON *system = json_add_obj(report, "systemModules");
    json_add(system, "edgeAgent", agent_report(started_ms, running));
    if (has_hub)
        json_add(system, EDGE_HUB_NAME, module_report(&hub_view, running));
    cJSON *modules = json_add_obj(report, "modules");
    size_t n = agent_modules(agent, views, ARRAY_LEN(views));
    for (size_t i = 0; i < n; i++)
        if (views[i].spec)
            json_add(modules, views[i].name, module_report(&views[i], running));
    return report;
}
