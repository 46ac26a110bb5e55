/* See resources.h. */
#include "vm/guest/edged/resources.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/base/version.h"
#include "vm/guest/edged/agent_metrics.h"
#include "vm/guest/edged/container_stats.h"
#include "vm/guest/edged/plan.h"
#include "vm/guest/edged/sysinfo.h"

#include <string.h>
#include <unistd.h>

#define FIRST_MS 5000  /* the deployment is worked on first */
#define RETRY_MS 30000 /* the engine does not answer */
#define HOST     "host"

/* A container, and its processors' time when it was last looked at. */
struct reading {
    char name[DEPLOYMENT_NAME_MAX];
    char id[72];
    uint64_t cpu_ns;
    uint64_t at_ms; /* wall clock; first its start, when that time was 0 */
};

struct resources {
    struct resources_context c;
    uv_timer_t *timer;
    struct docker_call *call;
    struct sysinfo_cpu cpu;
    uint64_t host_memory;
    struct reading readings[PLAN_TRACKS_MAX];
    size_t n;
    size_t at;                 /* the one that is asked for */
    struct reading agent, hub; /* processes: the id is their number */
};

static void ask_next(struct resources *r);

static void set(struct resources *r, enum agent_metric metric, const char *label, uint64_t value)
{
    meter_set(agent_metrics_of(r->c.meters, metric, label), value);
}

static void observe_cpu(struct resources *r, const char *label, double percent)
{
    meter_observe(agent_metrics_of(r->c.meters, AGENT_CPU, label), percent, clock_mono_ms());
}

/* ------------------------------------------------------------------------------- machine */

static void look_at_disks(struct resources *r, const cJSON *disks)
{
    const cJSON *disk = NULL;
    cJSON_ArrayForEach(disk, disks)
    {
        const char *const labels[] = {json_str(disk, "name", ""), json_str(disk, "file_system", ""),
                                      json_str(disk, "file_type", "")};
        meter_set(meters_get(r->c.meters, AGENT_DISK_AVAILABLE, labels),
                  json_u64(disk, "available_space", 0));
        meter_set(meters_get(r->c.meters, AGENT_DISK_TOTAL, labels),
                  json_u64(disk, "total_space", 0));
    }
}

static void look_at_machine(struct resources *r)
{
    struct sysinfo_cpu cpu;
    auto_json cJSON *json = cJSON_CreateObject();
    sysinfo_resources(json);
    sysinfo_cpu_read(&cpu);
    observe_cpu(r, HOST, sysinfo_cpu_percent(&r->cpu, &cpu));
    r->cpu = cpu;
    r->host_memory = json_u64(json, "total_ram", 0);
    set(r, AGENT_HOST_UPTIME, NULL, json_u64(json, "host_uptime", 0));
    set(r, AGENT_UPTIME, NULL, (clock_wall_ms() - r->c.started_ms) / 1000);
    set(r, AGENT_MEMORY_USED, HOST, json_u64(json, "used_ram", 0));
    set(r, AGENT_MEMORY_TOTAL, HOST, r->host_memory);
    look_at_disks(r, json_get(json, "disks"));
}

static void describe(struct resources *r)
{
    auto_buf struct buf text = {0};
    auto_json cJSON *json = cJSON_CreateObject();
    sysinfo_describe(json);
    json_print(&text, json);
    const char *const labels[] = {BERTH_VERSION, "{}", buf_str(&text)};
    meter_set(meters_get(r->c.meters, AGENT_METADATA, labels), 0);
}

/* ------------------------------------------------------------------------------- runtime */

static void count_cpu(struct resources *r, struct reading *reading, uint64_t cpu_ns)
{
    uint64_t now_ms = clock_wall_ms();
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (now_ms > reading->at_ms && cpu_ns >= reading->cpu_ns && processors > 0)
        observe_cpu(r, reading->name,
                    100.0 * (double)(cpu_ns - reading->cpu_ns) / 1e6 /
                        ((double)(now_ms - reading->at_ms) * (double)processors));
    reading->cpu_ns = cpu_ns;
    reading->at_ms = now_ms;
}

static void look_at_process(struct resources *r, struct reading *reading, const char *name,
                            pid_t pid, uint64_t started_ms)
{
    char id[sizeof(reading->id)];
    struct sysinfo_process p;
    if (!sysinfo_process_read(pid, &p))
        return;
    (void)str_format(id, sizeof(id), "%d", (int)pid);
    if (!str_eq(reading->id, id)) {
        *reading = (struct reading){.at_ms = started_ms};
        STR_SET(reading->name, name);
        STR_SET(reading->id, id);
    }
    count_cpu(r, reading, p.cpu_ns);
    set(r, AGENT_MEMORY_USED, name, p.memory);
    set(r, AGENT_MEMORY_TOTAL, name, r->host_memory);
    set(r, AGENT_PIDS, name, p.threads);
}

static void look_at_runtime(struct resources *r)
{
    struct module_view hub;
    look_at_process(r, &r->agent, "edgeAgent", getpid(), r->c.started_ms);
    if (edge_hub_view(r->c.hub, &hub) && hub.container && hub.container->pid > 0)
        look_at_process(r, &r->hub, EDGE_HUB_NAME, hub.container->pid, hub.container->started_ms);
}

/* ------------------------------------------------------------------------------- modules */

/* Those that run now; what is known of one is kept as long as that container. */
static void take_containers(struct resources *r)
{
    size_t n = 0, n_old = r->n;
    const struct container *list = containers_list(r->c.containers, &n);
    auto_free struct reading *old = xcalloc(PLAN_TRACKS_MAX, sizeof(*old));
    memcpy(old, r->readings, sizeof(r->readings));
    r->n = 0;
    for (size_t i = 0; i < n && r->n < ARRAY_LEN(r->readings); i++) {
        if (list[i].state != CONTAINER_RUNNING)
            continue;
        struct reading *reading = &r->readings[r->n++];
        *reading = (struct reading){.at_ms = list[i].started_ms};
        STR_SET(reading->name, list[i].name);
        STR_SET(reading->id, list[i].id);
        for (size_t k = 0; k < n_old; k++)
            if (str_eq(old[k].id, reading->id) && old[k].at_ms > reading->at_ms)
                *reading = old[k];
    }
}

/* A container without a limit has the machine's memory, or a number beyond any. */
static void on_stats(void *arg, int status, const cJSON *json, const struct err *err)
{
    (void)status;
    struct resources *r = arg;
    struct reading *reading = &r->readings[r->at++];
    struct container_stats s;
    r->call = NULL;
    if (err) {
        log_debug("metrics", "%s: %s", reading->name, err->msg);
        ask_next(r);
        return;
    }
    container_stats_parse(json, &s);
    bool limited = s.memory_limit && s.memory_limit < r->host_memory;
    count_cpu(r, reading, s.cpu_ns);
    set(r, AGENT_MEMORY_USED, reading->name, s.memory);
    set(r, AGENT_MEMORY_TOTAL, reading->name, limited ? s.memory_limit : r->host_memory);
    set(r, AGENT_PIDS, reading->name, s.pids);
    set(r, AGENT_NETWORK_IN, reading->name, s.network_in);
    set(r, AGENT_NETWORK_OUT, reading->name, s.network_out);
    set(r, AGENT_DISK_READ, reading->name, s.disk_read);
    set(r, AGENT_DISK_WRITE, reading->name, s.disk_write);
    ask_next(r);
}

/* ------------------------------------------------------------------------------- rounds */

static void on_timer(uv_timer_t *timer)
{
    struct resources *r = timer->data;
    look_at_machine(r);
    look_at_runtime(r);
    take_containers(r);
    r->at = 0;
    ask_next(r);
}

/* One after the other: a question costs the engine some time. */
static void ask_next(struct resources *r)
{
    if (r->at == r->n) {
        bool known = containers_ready(r->c.containers);
        (void)uv_timer_start(r->timer, on_timer, known ? r->c.every_s * 1000 : RETRY_MS, 0);
        return;
    }
    auto_free char *target =
        xasprintf("/containers/%s/stats?stream=false&one-shot=true", r->readings[r->at].id);
    r->call = docker_get(r->c.docker, target, on_stats, r);
}

/* ------------------------------------------------------------------------------- life */

struct resources *resources_new(const struct resources_context *context)
{
    struct resources *r = xcalloc(1, sizeof(*r));
    r->c = *context;
    r->timer = xcalloc(1, sizeof(*r->timer));
    (void)uv_timer_init(r->c.loop, r->timer);
    r->timer->data = r;
    sysinfo_cpu_read(&r->cpu);
    describe(r);
    (void)uv_timer_start(r->timer, on_timer, FIRST_MS, 0);
    return r;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

void resources_free(struct resources *r)
{
    if (!r)
        return;
    docker_cancel(r->call);
    uv_close((uv_handle_t *)r->timer, on_closed);
    free(r);
}
