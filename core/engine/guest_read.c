/* See guest_read.h. */
#include "core/engine/guest_read.h"

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/str.h"

#include <math.h>
#include <string.h>

#define FIGURE_MAX ((double)(1ULL << 53)) /* larger ones are nonsense, and not exact */

/* A whole number that is one; 0 otherwise. */
static uint64_t read_figure(const cJSON *obj, const char *key)
{
    double v = json_num(obj, key, 0);
    return isfinite(v) && v > 0 && v <= FIGURE_MAX ? (uint64_t)v : 0;
}

static uint64_t read_time(const cJSON *obj, const char *key)
{
    uint64_t ms = 0;
    return clock_parse(json_str(obj, key, ""), &ms) ? ms : 0;
}

#define READ_TEXT(field, obj, key) \
    str_sanitise_to((field), sizeof(field), json_str((obj), (key), ""))

static cJSON *read_object(const char *json, size_t len, struct err *err)
{
    cJSON *root = json_parse(json, len, err);
    if (root && !cJSON_IsObject(root)) {
        cJSON_Delete(root);
        err_set(err, ERR_PROTOCOL, "the answer is not a JSON object");
        return NULL;
    }
    return root;
}

int guest_read_info(const char *json, size_t len, struct guest_info *ret, struct err *err)
{
    auto_json cJSON *root = read_object(json, len, err);
    if (!root)
        return -1;
    *ret = (struct guest_info){.cloud = cloud_state_parse(json_str(root, "cloud_state", ""))};
    READ_TEXT(ret->version, root, "version");
    READ_TEXT(ret->device_id, root, "device_id");
    READ_TEXT(ret->hub, root, "hub_name");
    READ_TEXT(ret->cloud_error, root, "cloud_error");
    ret->cloud_since_ms = read_time(root, "cloud_since");
    return 0;
}

static void read_module(const cJSON *item, struct module_status *m)
{
    const cJSON *settings = json_get(json_get(item, "config"), "settings");
    const cJSON *status = json_get(item, "status");
    const cJSON *runtime = json_get(status, "runtimeStatus");
    const cJSON *end = json_get(status, "exitStatus");

    *m = (struct module_status){.cpu_percent = -1};
    READ_TEXT(m->name, item, "name");
    READ_TEXT(m->image, settings, "image");
    READ_TEXT(m->description, runtime, "description");
    m->state = module_state_parse(json_str(runtime, "status", ""));
    m->system = str_eq(m->name, "edgeAgent") || str_eq(m->name, "edgeHub");
    m->started_ms = read_time(status, "startTime");
    m->exited_ms = read_time(end, "exitTime");
    uint64_t code;
    if (str_to_u64(json_str(end, "statusCode", ""), INT32_MAX, &code))
        m->exit_code = (int)code;
}

int guest_read_modules(const char *json, size_t len, struct module_status *to, size_t max,
                       size_t *ret_n, struct err *err)
{
    auto_json cJSON *root = read_object(json, len, err);
    const cJSON *list;
    if (!root || json_need_array(root, "modules", &list, err) < 0)
        return -1;
    size_t n = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        if (n == max)
            break;
        read_module(item, &to[n]);
        n += to[n].name[0] != '\0';
    }
    *ret_n = n;
    return 0;
}

int guest_read_resources(const char *json, size_t len, struct guest_resources *ret, struct err *err)
{
    auto_json cJSON *root = read_object(json, len, err);
    if (!root)
        return -1;
    double cpu = json_num(root, "used_cpu", -1);
    *ret =
        (struct guest_resources){.cpu_percent = isfinite(cpu) && cpu >= 0 && cpu < 1e6 ? cpu : -1,
                                 .memory_used = read_figure(root, "used_ram"),
                                 .memory_total = read_figure(root, "total_ram")};
    const cJSON *disk;
    cJSON_ArrayForEach(disk, json_get(root, "disks"))
    {
        uint64_t total = read_figure(disk, "total_space");
        uint64_t left = read_figure(disk, "available_space");
        if (total > ret->disk_total && left <= total) {
            ret->disk_total = total;
            ret->disk_used = total - left;
        }
    }
    return 0;
}

int guest_read_stats(const char *json, size_t len, struct guest_stats *ret, struct err *err)
{
    auto_json cJSON *root = read_object(json, len, err);
    if (!root)
        return -1;
    const cJSON *memory = json_get(root, "memory_stats");
    uint64_t used = read_figure(memory, "usage");
    uint64_t cache = read_figure(json_get(memory, "stats"), "inactive_file");
    *ret = (struct guest_stats){
        .read_ms = read_time(root, "read"),
        .cpu_ns = read_figure(json_get(json_get(root, "cpu_stats"), "cpu_usage"), "total_usage"),
        .memory = cache < used ? used - cache : used,
    };
    return 0;
}

double guest_stats_cpu(const struct guest_stats *before, const struct guest_stats *now)
{
    if (!before->read_ms || !before->cpu_ns || now->read_ms <= before->read_ms ||
        now->cpu_ns < before->cpu_ns) /* less than before: the container was started anew */
        return -1;
    return (double)(now->cpu_ns - before->cpu_ns) / 1e6 / (double)(now->read_ms - before->read_ms) *
           100;
}

void guest_read_key(const char *text, const char *key, char *to, size_t size)
{
    size_t len = strlen(key);
    to[0] = '\0';
    for (const char *at = text; at && *at; at = strchr(at, '\n'), at = at ? at + 1 : NULL) {
        if (strncmp(at, key, len) != 0 || at[len] != '=')
            continue;
        at += len + 1;
        struct buf value = {0};
        str_sanitise(&value, at, strcspn(at, "\n"));
        (void)str_copy(to, size, buf_str(&value));
        buf_done(&value);
        return;
    }
}
