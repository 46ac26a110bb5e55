/* See model_json.h. Each struct has one table of its members; a single encoder and a single decoder
 * walk the tables, so that what is written is what is read, and a new member is one row.
 *
 * The decoder trusts nothing: text passes the sanitiser, arrays stop at the struct's capacity,
 * numbers outside their range become the value for "unknown". */
#include "core/rpc/model_json.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <math.h>
#include <string.h>

enum member_type {
    MEMBER_TEXT,     /* char[]; always a string */
    MEMBER_TEXT_OPT, /* char[]; null where empty */
    MEMBER_BOOL,
    MEMBER_INT,     /* int, any sign */
    MEMBER_PERCENT, /* int; null where negative */
    MEMBER_U16,
    MEMBER_U32,
    MEMBER_U64,
    MEMBER_SIZE,
    MEMBER_RATIO, /* double percentage; null where negative */
    MEMBER_WORD,  /* an enum, as its lower-case word */
    MEMBER_ERROR, /* struct err; null where ERR_NONE */
    MEMBER_LIST,  /* array of structs; its count is another member */
    MEMBER_STRUCT,
};

struct words {
    const char *(*name)(unsigned value);
    unsigned (*parse)(const char *name);
};

struct member {
    const char *key;
    enum member_type type;
    size_t offset;
    size_t size; /* of the member; of one element for a list */
    const struct words *words;
    const struct member *of; /* table of a nested struct */
    size_t max;              /* list: capacity */
    size_t count_offset;     /* list: where its size_t count is */
};

/* The model's name functions have one type per enum; the tables need a common one. */
#define WORDS(noun, enum_tag)                      \
    static const char *noun##_word(unsigned value) \
    {                                              \
        return noun##_name((enum enum_tag)value);  \
    }                                              \
    static unsigned noun##_value(const char *name) \
    {                                              \
        return (unsigned)noun##_parse(name);       \
    }                                              \
    static const struct words noun##_words = {noun##_word, noun##_value}

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

#define SIZE_IN(type, field) sizeof(((const struct type *)0)->field)
#define AT(type, field)      .offset = offsetof(struct type, field), .size = SIZE_IN(type, field)
#define LIST(type, field, count)                                             \
    .offset = offsetof(struct type, field), .size = SIZE_IN(type, field[0]), \
    .max = SIZE_IN(type, field) / SIZE_IN(type, field[0]),                   \
    .count_offset = offsetof(struct type, count)
#define END         \
    {               \
        .key = NULL \
    }

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

static const struct member sandbox_members[] = {
    {"light", MEMBER_WORD, AT(sandbox_status, light), .words = &light_words},
    {"host", MEMBER_TEXT_OPT, AT(sandbox_status, host)},
    {"mqttPort", MEMBER_U16, AT(sandbox_status, mqtt_port)},
    {"httpsPort", MEMBER_U16, AT(sandbox_status, https_port)},
    {"registryPort", MEMBER_U16, AT(sandbox_status, registry_port)},
    {"caFile", MEMBER_TEXT_OPT, AT(sandbox_status, ca_file)},
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

/* ---- encode ---- */

/* Reads a member as TYPE, whatever its alignment: the structs are plain data. */
#define LOAD(type, from)                                 \
    ({                                                   \
        type load_value;                                 \
        memcpy(&load_value, (from), sizeof(load_value)); \
        load_value;                                      \
    })

static void add_percent(cJSON *obj, const char *key, double value)
{
    if (value >= 0 && isfinite(value))
        json_add_num(obj, key, value);
    else
        json_add(obj, key, cJSON_CreateNull());
}

static cJSON *encode(const struct member *members, const void *value);

static void encode_list(cJSON *obj, const struct member *m, const char *base)
{
    cJSON *array = json_add_array(obj, m->key);
    size_t n = LOAD(size_t, base + m->count_offset);
    for (size_t i = 0; i < n && i < m->max; i++)
        json_push(array, encode(m->of, base + m->offset + i * m->size));
}

static void encode_number(cJSON *obj, const struct member *m, const char *at)
{
    if (m->type == MEMBER_U16)
        json_add_u64(obj, m->key, LOAD(uint16_t, at));
    else if (m->type == MEMBER_U32)
        json_add_u64(obj, m->key, LOAD(uint32_t, at));
    else if (m->type == MEMBER_U64)
        json_add_u64(obj, m->key, LOAD(uint64_t, at));
    else if (m->type == MEMBER_SIZE)
        json_add_u64(obj, m->key, LOAD(size_t, at));
    else
        json_add_num(obj, m->key, LOAD(int, at));
}

static void encode_member(cJSON *obj, const struct member *m, const char *base)
{
    const char *at = base + m->offset;
    switch (m->type) {
    case MEMBER_TEXT:
        json_add_str(obj, m->key, at);
        break;
    case MEMBER_TEXT_OPT:
        json_add_str_or_null(obj, m->key, at);
        break;
    case MEMBER_BOOL:
        json_add_bool(obj, m->key, LOAD(bool, at));
        break;
    case MEMBER_PERCENT:
        add_percent(obj, m->key, LOAD(int, at));
        break;
    case MEMBER_RATIO:
        add_percent(obj, m->key, LOAD(double, at));
        break;
    case MEMBER_WORD:
        json_add_str(obj, m->key, m->words->name(LOAD(unsigned, at)));
        break;
    case MEMBER_ERROR: {
        struct err error = LOAD(struct err, at);
        json_add(obj, m->key, error.kind ? model_json_error(&error) : cJSON_CreateNull());
        break;
    }
    case MEMBER_LIST:
        encode_list(obj, m, base);
        break;
    case MEMBER_STRUCT:
        json_add(obj, m->key, encode(m->of, at));
        break;
    case MEMBER_INT:
    case MEMBER_U16:
    case MEMBER_U32:
    case MEMBER_U64:
    case MEMBER_SIZE:
        encode_number(obj, m, at);
        break;
    }
}

static cJSON *encode(const struct member *members, const void *value)
{
    cJSON *obj = cJSON_CreateObject();
    if (!obj)
        abort();
    for (const struct member *m = members; m->key; m++)
        encode_member(obj, m, value);
    return obj;
}

/* ---- decode ---- */

#define STORE(type, to, value)                           \
    do {                                                 \
        type store_value = (type)(value);                \
        memcpy((to), &store_value, sizeof(store_value)); \
    } while (0)

static void decode(const struct member *members, const cJSON *json, void *value);

static void decode_list(const struct member *m, const cJSON *array, char *base)
{
    size_t n = 0;
    if (cJSON_IsArray(array)) {
        for (const cJSON *item = array->child; item && n < m->max; item = item->next)
            decode(m->of, item, base + m->offset + n++ * m->size);
    }
    STORE(size_t, base + m->count_offset, n);
}

/* A percentage or -1; what is not a number in [0, MAX] is unknown. */
static double percent_of(const cJSON *obj, const char *key, double max)
{
    double value = json_num(obj, key, -1);
    return value >= 0 && value <= max ? value : -1;
}

static int int_of(const cJSON *obj, const char *key)
{
    double value = json_num(obj, key, 0);
    return value >= INT32_MIN && value <= INT32_MAX ? (int)value : 0;
}

static uint64_t whole_of(const cJSON *obj, const char *key, uint64_t max)
{
    uint64_t value = json_u64(obj, key, 0);
    return value <= max ? value : 0;
}

static void decode_number(const struct member *m, const cJSON *obj, char *at)
{
    if (m->type == MEMBER_U16)
        STORE(uint16_t, at, whole_of(obj, m->key, UINT16_MAX));
    else if (m->type == MEMBER_U32)
        STORE(uint32_t, at, whole_of(obj, m->key, UINT32_MAX));
    else if (m->type == MEMBER_U64)
        STORE(uint64_t, at, whole_of(obj, m->key, UINT64_MAX));
    else if (m->type == MEMBER_SIZE)
        STORE(size_t, at, whole_of(obj, m->key, SIZE_MAX));
    else
        STORE(int, at, int_of(obj, m->key));
}

static void decode_error(const cJSON *json, char *at)
{
    struct err error = {0};
    if (cJSON_IsObject(json))
        model_parse_error(json, &error);
    STORE(struct err, at, error);
}

static void decode_member(const struct member *m, const cJSON *obj, char *base)
{
    char *at = base + m->offset;
    switch (m->type) {
    case MEMBER_TEXT:
    case MEMBER_TEXT_OPT:
        str_sanitise_to(at, m->size, json_str(obj, m->key, ""));
        break;
    case MEMBER_BOOL:
        STORE(bool, at, json_bool(obj, m->key, false));
        break;
    case MEMBER_PERCENT:
        STORE(int, at, percent_of(obj, m->key, 100));
        break;
    case MEMBER_RATIO:
        STORE(double, at, percent_of(obj, m->key, 1e6));
        break;
    case MEMBER_WORD:
        STORE(unsigned, at, m->words->parse(json_str(obj, m->key, "")));
        break;
    case MEMBER_ERROR:
        decode_error(json_get(obj, m->key), at);
        break;
    case MEMBER_LIST:
        decode_list(m, json_get(obj, m->key), base);
        break;
    case MEMBER_STRUCT:
        decode(m->of, json_get(obj, m->key), at);
        break;
    case MEMBER_INT:
    case MEMBER_U16:
    case MEMBER_U32:
    case MEMBER_U64:
    case MEMBER_SIZE:
        decode_number(m, obj, at);
        break;
    }
}

/* JSON of any type, NULL included: members that are not there become zero. */
static void decode(const struct member *members, const cJSON *json, void *value)
{
    for (const struct member *m = members; m->key; m++)
        decode_member(m, json, value);
}

/* ---- public ---- */

cJSON *model_json_host_report(const struct host_report *v)
{
    return encode(report_members, v);
}

cJSON *model_json_plan(const struct vm_plan *v)
{
    return encode(plan_members, v);
}

cJSON *model_json_vm(const struct vm_status *v)
{
    return encode(vm_members, v);
}

cJSON *model_json_module(const struct module_status *v)
{
    return encode(module_members, v);
}

cJSON *model_json_job(const struct job_status *v)
{
    return encode(job_members, v);
}

cJSON *model_json_sandbox(const struct sandbox_status *v)
{
    return encode(sandbox_members, v);
}

cJSON *model_json_snapshot(const struct snapshot *v)
{
    return encode(snapshot_members, v);
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
    decode(report_members, json, ret);
}

void model_parse_vm(const cJSON *json, struct vm_status *ret)
{
    memset(ret, 0, sizeof(*ret));
    decode(vm_members, json, ret);
}

void model_parse_job(const cJSON *json, struct job_status *ret)
{
    memset(ret, 0, sizeof(*ret));
    decode(job_members, json, ret);
}

void model_parse_sandbox(const cJSON *json, struct sandbox_status *ret)
{
    memset(ret, 0, sizeof(*ret));
    decode(sandbox_members, json, ret);
}

void model_parse_snapshot(const cJSON *json, struct snapshot *ret)
{
    memset(ret, 0, sizeof(*ret));
    decode(snapshot_members, json, ret);
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
