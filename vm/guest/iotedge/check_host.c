/* See check.h: checks of the container engine, of disk and memory. */
#include "vm/guest/iotedge/check.h"

#include "core/base/mem.h"
#include "core/base/percent.h"
#include "core/base/str.h"
#include "vm/guest/edged/sysinfo.h"
#include "vm/guest/iotedge/ask.h"
#include "vm/guest/iotedge/modules.h"

#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/statfs.h>

#define DISK_WARN_PERCENT   10
#define DISK_ERROR_PERCENT  2
#define MEMORY_WARN_PERCENT 10

void check_engine(const struct check_facts *facts, struct check_finding *f)
{
    if (!facts->engine)
        check_bad_err(f, &facts->engine_err);
    else
        check_good(f, "version %s", json_str(facts->engine, "Version", "?"));
}

static bool inspect(struct ask *engine, const char *api, const char *name, cJSON **ret)
{
    auto_buf struct buf target = {0};
    buf_puts(&target, api);
    percent_encode(name, strlen(name), &target);
    buf_puts(&target, "/json");
    return ask_json(engine, "GET", buf_str(&target), ret, NULL) == 0;
}

/* Whether a container's log has a limit. Podman tells only in its own API. False: no such
 * container. */
static bool log_is_limited(struct ask *engine, const char *name, bool *ret)
{
    static const char files[] = " json-file k8s-file ";
    char type[40];
    auto_json cJSON *json = NULL;
    if (!inspect(engine, "/v4.0.0/libpod/containers/", name, &json) &&
        !inspect(engine, ASK_ENGINE_API "/containers/", name, &json))
        return false;
    const cJSON *config = json_get(json_get(json, "HostConfig"), "LogConfig");
    const char *size = json_str(config, "Size", "0B");
    (void)str_format(type, sizeof(type), " %s ", json_str(config, "Type", ""));
    *ret = !strstr(files, type) /* the journal has a limit of its own */
           || !str_eq(size, "0B") || *json_str(json_get(config, "Config"), "max-size", "");
    return true;
}

void check_logrotate(const struct check_facts *facts, struct check_finding *f)
{
    const cJSON *modules[MODULES_MAX];
    unsigned seen = 0;
    auto_ask struct ask *engine = ask_engine(facts->o);
    if (!facts->engine || !facts->modules) {
        check_skip(f, "the runtime or the container engine does not answer");
        return;
    }
    size_t n = modules_sorted(facts->modules, modules, MODULES_MAX);
    for (size_t i = 0; i < n; i++) {
        const char *name = json_str(modules[i], "name", "");
        bool limited = false;
        if (!log_is_limited(engine, name, &limited))
            continue;
        seen++;
        if (limited)
            continue;
        check_warn(f, "the log of %s has no limit", name);
        check_hint(f, "set HostConfig.LogConfig in its createOptions: {\"Type\": \"json-file\", "
                      "\"Config\": {\"max-size\": \"10m\"}}");
        return;
    }
    if (seen)
        check_good(f, "each of %u has a limit", seen);
    else
        check_ignore(f, "there is no container of a module");
}

/* ------------------------------------------------------------------------------- disk */

static void check_storage(const char *path, struct check_finding *f)
{
    struct statfs fs;
    if (statfs(path, &fs) < 0) {
        check_bad(f, "%s: %s", path, errno == ENOENT ? "there is no such folder" : "unreadable");
        check_hint(f, "the runtime makes it when it starts: `iotedge system status`");
    } else if (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC) {
        check_bad(f, "%s is in memory: it is gone after a restart of the machine", path);
        check_hint(f, "the data disk is not mounted: restart the VM, look at its console");
    } else {
        check_good(f, "%s is on a disk", path);
    }
}

void check_agent_storage(const struct check_facts *facts, struct check_finding *f)
{
    check_storage(facts->o->state_dir, f);
}

void check_hub_storage(const struct check_facts *facts, struct check_finding *f)
{
    const cJSON *module = NULL;
    bool there = false;
    cJSON_ArrayForEach(module, json_get(facts->modules, "modules"))
    {
        there = there || str_eq(json_str(module, "name", ""), "edgeHub");
    }
    if (there)
        check_storage(facts->o->state_dir, f); /* the hub's folder is below it */
    else
        check_ignore(f, "there is no edgeHub");
}

void check_disk(const struct check_facts *facts, struct check_finding *f)
{
    struct statfs fs;
    char left[32], total[32];
    if (statfs(facts->o->state_dir, &fs) < 0 || !fs.f_blocks) {
        check_skip(f, "%s is not there", facts->o->state_dir);
        return;
    }
    uint64_t size = (uint64_t)fs.f_bsize, percent = 100 * (uint64_t)fs.f_bavail / fs.f_blocks;
    bool no_inodes = fs.f_files && !fs.f_ffree;
    str_bytes(left, sizeof(left), fs.f_bavail * size);
    str_bytes(total, sizeof(total), fs.f_blocks * size);
    if (no_inodes)
        check_bad(f, "no file can be made any more: the disk has too many");
    else if (percent < DISK_ERROR_PERCENT)
        check_bad(f, "%s of %s are free", left, total);
    else if (percent < DISK_WARN_PERCENT)
        check_warn(f, "%s of %s are free", left, total);
    else
        check_good(f, "%s of %s are free", left, total);
    check_hint(f,
               "remove images that nothing uses, or let the host give the VM a larger data disk; "
               "waiting messages take room, too, while the hub is not reached");
}

void check_memory(const struct check_facts *facts, struct check_finding *f)
{
    (void)facts;
    char left[32], total[32];
    auto_json cJSON *now = cJSON_CreateObject();
    sysinfo_resources(now);
    uint64_t all = json_u64(now, "total_ram", 0), used = json_u64(now, "used_ram", 0);
    uint64_t unused = all > used ? all - used : 0;
    str_bytes(left, sizeof(left), unused);
    str_bytes(total, sizeof(total), all);
    if (all && 100 * unused / all < MEMORY_WARN_PERCENT)
        check_warn(f, "%s of %s are available", left, total);
    else
        check_good(f, "%s of %s are available", left, total);
    check_hint(f, "a module may use too much: `podman stats --no-stream`; or let the host give the "
                  "VM more memory");
}
