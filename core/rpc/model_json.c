/* See model_json.h. Each struct has one table of its members; model_member.c walks them. */
#include "core/rpc/model_json.h"

#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/rpc/model_member.h"

#include <string.h>

WORDS(light, light);
WORDS(vm_state, vm_state);
WORDS(runtime_state, runtime_state);
WORDS(cloud_state, cloud_state);
WORDS(module_state, module_state);
WORDS(job_state, job_state);

static const char *network_word(unsigned value)
{
    return vm_network_name((enum vm_network)value);
}

static unsigned network_value(const char *name)
{
    enum vm_network network = VM_NETWORK_USER;
    (void)vm_network_parse(name, &network, NULL);
    return network;
}

static const struct words network_words = {network_word, network_value};

static const struct member check_members[] = {
    {"id", MEMBER_TEXT, AT(host_check, id)},
    {"label", MEMBER_TEXT, AT(host_check, label)},
    {"light", MEMBER_WORD, AT(host_check, light), .words = &light_words},
    {"text", MEMBER_TEXT, AT(host_check, text)},
    {"hint", MEMBER_TEXT_OPT, AT(host_check, hint)},
    END,
};

static const struct member report_members[] = {
    {"checks", MEMBER_LIST, LIST(host_report, checks, n), .of = check_members},
    {"accel", MEMBER_TEXT, AT(host_report, accel)},
    {"accelWhy", MEMBER_TEXT, AT(host_report, accel_why)},
    {"uri", MEMBER_TEXT_OPT, AT(host_report, uri)},
    END,
};

static const struct member plan_members[] = {
    {"name", MEMBER_TEXT, AT(vm_plan, name)},
    {"cpus", MEMBER_U32, AT(vm_plan, cpus)},
    {"memoryMib", MEMBER_U32, AT(vm_plan, memory_mib)},
    {"diskGib", MEMBER_U32, AT(vm_plan, disk_gib)},
    {"network", MEMBER_WORD, AT(vm_plan, network), .words = &network_words},
    {"accel", MEMBER_TEXT, AT(vm_plan, accel)},
    {"bundle", MEMBER_TEXT_OPT, AT(vm_plan, bundle)},
    END,
};

static const struct member module_members[] = {
    {"name", MEMBER_TEXT, AT(module_status, name)},
    {"state", MEMBER_WORD, AT(module_status, state), .words = &module_state_words},
    {"description", MEMBER_TEXT_OPT, AT(module_status, description)},
    {"image", MEMBER_TEXT_OPT, AT(module_status, image)},
    {"system", MEMBER_BOOL, AT(module_status, system)},
    {"exitCode", MEMBER_INT, AT(module_status, exit_code)},
    {"startedMs", MEMBER_U64, AT(module_status, started_ms)},
    {"exitedMs", MEMBER_U64, AT(module_status, exited_ms)},
    {"restarts", MEMBER_U32, AT(module_status, restarts)},
    {"cpuPercent", MEMBER_RATIO, AT(module_status, cpu_percent)},
    {"memory", MEMBER_U64, AT(module_status, memory)},
    END,
};

static const struct member vm_members[] = {
    {"name", MEMBER_TEXT, AT(vm_status, name)},
    {"state", MEMBER_WORD, AT(vm_status, state), .words = &vm_state_words},
    {"reason", MEMBER_TEXT_OPT, AT(vm_status, reason)},
    {"accel", MEMBER_TEXT_OPT, AT(vm_status, accel)},
    {"address", MEMBER_TEXT_OPT, AT(vm_status, address)},
    {"bundle", MEMBER_TEXT_OPT, AT(vm_status, bundle)},
    {"cpus", MEMBER_U32, AT(vm_status, cpus)},
    {"memoryMib", MEMBER_U32, AT(vm_status, memory_mib)},
    {"diskGib", MEMBER_U32, AT(vm_status, disk_gib)},
    {"startedMs", MEMBER_U64, AT(vm_status, started_ms)},
    {"seenMs", MEMBER_U64, AT(vm_status, seen_ms)},
    {"cpuPercent", MEMBER_RATIO, AT(vm_status, cpu_percent)},
    {"memoryUsed", MEMBER_U64, AT(vm_status, memory_used)},
    {"memoryTotal", MEMBER_U64, AT(vm_status, memory_total)},
    {"diskUsed", MEMBER_U64, AT(vm_status, disk_used)},
    {"diskTotal", MEMBER_U64, AT(vm_status, disk_total)},
    {"runtime", MEMBER_WORD, AT(vm_status, runtime), .words = &runtime_state_words},
    {"runtimeVersion", MEMBER_TEXT_OPT, AT(vm_status, runtime_version)},
    {"runtimeReason", MEMBER_TEXT_OPT, AT(vm_status, runtime_reason)},
    {"deviceId", MEMBER_TEXT_OPT, AT(vm_status, device_id)},
    {"hub", MEMBER_TEXT_OPT, AT(vm_status, hub)},
    {"cloud", MEMBER_WORD, AT(vm_status, cloud), .words = &cloud_state_words},
    {"cloudSinceMs", MEMBER_U64, AT(vm_status, cloud_since_ms)},
    {"cloudReason", MEMBER_TEXT_OPT, AT(vm_status, cloud_reason)},
    {"modules", MEMBER_LIST, LIST(vm_status, modules, n_modules), .of = module_members},
    END,
};

static const struct member step_members[] = {
    {"name", MEMBER_TEXT, AT(job_step, name)},
    {"light", MEMBER_WORD, AT(job_step, light), .words = &light_words},
    {"tookMs", MEMBER_U64, AT(job_step, took_ms)},
    END,
};

static const struct member job_members[] = {
    {"id", MEMBER_TEXT, AT(job_status, id)},
    {"kind", MEMBER_TEXT, AT(job_status, kind)},
    {"title", MEMBER_TEXT, AT(job_status, title)},
    {"vm", MEMBER_TEXT_OPT, AT(job_status, vm)},
    {"by", MEMBER_TEXT_OPT, AT(job_status, by)},
    {"state", MEMBER_WORD, AT(job_status, state), .words = &job_state_words},
    {"steps", MEMBER_LIST, LIST(job_status, steps, n_steps), .of = step_members},
    {"step", MEMBER_SIZE, AT(job_status, step)},
    {"percent", MEMBER_PERCENT, AT(job_status, percent)},
    {"message", MEMBER_TEXT_OPT, AT(job_status, message)},
    {"startedMs", MEMBER_U64, AT(job_status, started_ms)},
    {"endedMs", MEMBER_U64, AT(job_status, ended_ms)},
    {"limitMs", MEMBER_U64, AT(job_status, limit_ms)},
    {"leftMs", MEMBER_U64, AT(job_status, left_ms)},
    {"error", MEMBER_ERROR, AT(job_status, error)},
    END,
};

static const struct member hub_members[] = {{"host", MEMBER_TEXT, AT(sandbox_hub, host)}, END};

static const struct member sandbox_members[] = {
    {"light", MEMBER_WORD, AT(sandbox_status, light), .words = &light_words},
    {"host", MEMBER_TEXT_OPT, AT(sandbox_status, host)},
    {"hubs", MEMBER_LIST, LIST(sandbox_status, hubs, n_hubs), .of = hub_members},
    {"mqttPort", MEMBER_U16, AT(sandbox_status, mqtt_port)},
    {"httpsPort", MEMBER_U16, AT(sandbox_status, https_port)},
    {"registryPort", MEMBER_U16, AT(sandbox_status, registry_port)},
    {"caFile", MEMBER_TEXT_OPT, AT(sandbox_status, ca_file)},
    {"dpsHost", MEMBER_TEXT_OPT, AT(sandbox_status, dps_host)},
    {"idScope", MEMBER_TEXT_OPT, AT(sandbox_status, id_scope)},
    {"reason", MEMBER_TEXT_OPT, AT(sandbox_status, reason)},
    {"devices", MEMBER_U32, AT(sandbox_status, devices)},
    END,
};

static const struct member snapshot_members[] = {
    {"atMs", MEMBER_U64, AT(snapshot, at_ms)},
    {"host", MEMBER_TEXT, AT(snapshot, host)},
    {"engineVersion", MEMBER_TEXT, AT(snapshot, engine_version)},
    {"vms", MEMBER_LIST, LIST(snapshot, vms, n_vms), .of = vm_members},
    {"jobs", MEMBER_LIST, LIST(snapshot, jobs, n_jobs), .of = job_members},
    {"sandbox", MEMBER_STRUCT, AT(snapshot, sandbox), .of = sandbox_members},
    END,
};

/* ---- public ---- */

cJSON *model_json_host_report(const struct host_report *v)
{
    return member_encode(report_members, v);
}

cJSON *model_json_plan(const struct vm_plan *v)
{
    return member_encode(plan_members, v);
}

cJSON *model_json_module(const struct module_status *v)
{
    return member_encode(module_members, v);
}

cJSON *model_json_job(const struct job_status *v)
{
    return member_encode(job_members, v);
}

cJSON *model_json_sandbox(const struct sandbox_status *v)
{
    return member_encode(sandbox_members, v);
}

cJSON *model_json_snapshot(const struct snapshot *v)
{
    return member_encode(snapshot_members, v);
}

cJSON *model_json_error(const struct err *v)
{
    cJSON *obj = cJSON_CreateObject();
    json_add_str(obj, "code", err_kind_name(v->kind));
    json_add_str(obj, "message", v->msg);
    json_add_str_or_null(obj, "hint", v->hint);
    return obj;
}

void model_parse_host_report(const cJSON *json, struct host_report *ret)
{
    memset(ret, 0, sizeof(*ret));
    member_decode(report_members, json, ret);
}

void model_parse_vm(const cJSON *json, struct vm_status *ret)
{
    memset(ret, 0, sizeof(*ret));
    member_decode(vm_members, json, ret);
}

void model_parse_job(const cJSON *json, struct job_status *ret)
{
    memset(ret, 0, sizeof(*ret));
    member_decode(job_members, json, ret);
}

void model_parse_snapshot(const cJSON *json, struct snapshot *ret)
{
    memset(ret, 0, sizeof(*ret));
    member_decode(snapshot_members, json, ret);
}

void model_parse_error(const cJSON *json, struct err *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->kind = err_kind_parse(json_str(json, "code", ""));
    if (ret->kind == ERR_NONE)
        ret->kind = ERR_SYSTEM;
    str_sanitise_to(ret->msg, sizeof(ret->msg), json_str(json, "message", ""));
    str_sanitise_to(ret->hint, sizeof(ret->hint), json_str(json, "hint", ""));
}
