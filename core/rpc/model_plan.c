/* A plan as people write it: strict where the model's other parsers are lenient, since a misspelt
 * member that is silently ignored would build another VM than the one that was asked for. */
#include "core/rpc/model_json.h"

#include "core/base/str.h"

#include <string.h>

#define PLAN_CPUS_MAX       256
#define PLAN_MEMORY_MAX_MIB (4U << 20)
#define PLAN_DISK_MAX_GIB   (1U << 16)

static const char *const plan_keys[] = {"apiVersion", "kind",    "name",  "cpus",   "memoryMib",
                                        "diskGib",    "network", "accel", "bundle", NULL};

static int check_keys(const cJSON *json, struct err *err)
{
    for (const cJSON *item = json->child; item; item = item->next) {
        size_t i = 0;
        while (plan_keys[i] && !str_eq(plan_keys[i], item->string))
            i++;
        if (plan_keys[i])
            continue;
        char key[64];
        str_sanitise_to(key, sizeof(key), item->string);
        err_set(err, ERR_INVALID, "plan: member \"%s\" is not known", key);
        return err_hint(err,
                        "members are name, cpus, memoryMib, diskGib, network, accel and bundle");
    }
    return 0;
}

static bool is_absent(const cJSON *json, const char *key)
{
    const cJSON *item = json_get(json, key);
    return !item || cJSON_IsNull(item);
}

static int get_number(const cJSON *json, const char *key, uint32_t max, uint32_t *value,
                      struct err *err)
{
    uint64_t number = 0;
    if (is_absent(json, key))
        return 0;
    if (json_need_u64(json, key, UINT64_MAX, &number, err) < 0)
        return err_wrap(err, "plan");
    if (number < 1 || number > max)
        return err_set(err, ERR_INVALID, "plan: \"%s\" must be from 1 to %u", key, max);
    *value = (uint32_t)number;
    return 0;
}

static int get_text(const cJSON *json, const char *key, char *to, size_t size, struct err *err)
{
    const char *text = "";
    if (is_absent(json, key))
        return 0;
    if (json_need_str(json, key, &text, err) < 0)
        return err_wrap(err, "plan");
    if (strlen(text) >= size)
        return err_set(err, ERR_INVALID, "plan: \"%s\" is longer than %zu characters", key,
                       size - 1);
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return err_set(err, ERR_INVALID, "plan: \"%s\" holds a control character", key);
    (void)str_copy(to, size, text);
    return 0;
}

static int get_words(const cJSON *json, struct vm_plan *plan, struct err *err)
{
    char network[16] = "user";
    if (get_text(json, "name", plan->name, sizeof(plan->name), err) < 0 ||
        get_text(json, "bundle", plan->bundle, sizeof(plan->bundle), err) < 0 ||
        get_text(json, "accel", plan->accel, sizeof(plan->accel), err) < 0 ||
        get_text(json, "network", network, sizeof(network), err) < 0)
        return -1;
    if (!*plan->name) {
        err_set(err, ERR_INVALID, "plan: \"name\" is missing");
        return err_hint(err, "give the VM a name, such as \"edge-07-vm\"");
    }
    if (!str_eq(plan->accel, "auto") && !str_eq(plan->accel, "kvm") &&
        !str_eq(plan->accel, "tcg")) {
        err_set(err, ERR_INVALID, "plan: \"accel\" must be \"auto\", \"kvm\" or \"tcg\"");
        return err_hint(err, "\"auto\" uses KVM where it works and plain emulation otherwise");
    }
    if (vm_network_parse(network, &plan->network, err) < 0)
        return err_wrap(err, "plan");
    return 0;
}

int model_parse_plan(const cJSON *json, struct vm_plan *ret, struct err *err)
{
    struct vm_plan plan = {.accel = "auto", .cpus = 2, .memory_mib = 1024, .disk_gib = 16};
    if (!cJSON_IsObject(json))
        return err_set(err, ERR_INVALID, "plan: must be a JSON object");
    if (check_keys(json, err) < 0 || get_words(json, &plan, err) < 0 ||
        get_number(json, "cpus", PLAN_CPUS_MAX, &plan.cpus, err) < 0 ||
        get_number(json, "memoryMib", PLAN_MEMORY_MAX_MIB, &plan.memory_mib, err) < 0 ||
        get_number(json, "diskGib", PLAN_DISK_MAX_GIB, &plan.disk_gib, err) < 0)
        return -1;
    *ret = plan;
    return 0;
}
