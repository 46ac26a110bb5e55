/* See plan.h. */
#include "vm/plan.h"

#include "core/base/str.h"
#include "vm/record.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

/* A host name made into a valid VM name: other characters dropped or lowered. */
static void name_from_host(const char *host, char *to, size_t size)
{
    size_t n = 0;
    for (; *host && *host != '.' && n + 4 < size && n + 4 < PLAN_NAME_MAX + 1; host++) {
        char c = (char)tolower((unsigned char)*host);
        if (c == '_')
            c = '-';
        if (!is_name_char(c) || (n == 0 && !(c >= 'a' && c <= 'z')))
            continue;
        to[n++] = c;
    }
    while (n && to[n - 1] == '-')
        n--;
    to[n] = '\0';
    if (n == 0)
        (void)str_copy(to, size, "edge");
    (void)str_copy(to + strlen(to), size - strlen(to), "-vm");
}

static uint32_t lesser(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

void plan_default(const struct host_size *size, const char *host_name, struct vm_plan *ret_plan)
{
    struct vm_plan p = {.cpus = 2, .memory_mib = 1024, .disk_gib = 16, .network = VM_NETWORK_USER};
    name_from_host(host_name, p.name, sizeof(p.name));
    STR_SET(p.accel, "auto");
    if (size->cpus)
        p.cpus = lesser(p.cpus, size->cpus);
    if (size->memory_mib && size->memory_mib < 2 * p.memory_mib)
        p.memory_mib =
            size->memory_mib / 2 < PLAN_MEMORY_MIN_MIB ? PLAN_MEMORY_MIN_MIB : size->memory_mib / 2;
    uint64_t free_gib = size->disk_free >> 30;
    if (free_gib > PLAN_DISK_MIN_GIB && free_gib < p.disk_gib)
        p.disk_gib = (uint32_t)free_gib;
    *ret_plan = p;
}

int plan_check_name(const char *name, struct err *err)
{
    size_t n = strlen(name);
    bool ok = n > 0 && n <= PLAN_NAME_MAX && name[0] >= 'a' && name[0] <= 'z' && name[n - 1] != '-';
    for (size_t i = 0; ok && i < n; i++)
        ok = is_name_char(name[i]);
    if (ok)
        return 0;

    char shown[80];
    str_sanitise_to(shown, sizeof(shown), name);
    if (n == 0)
        err_set(err, ERR_INVALID, "name: is empty");
    else
        err_set(err, ERR_INVALID, "name: \"%s\" cannot be the name of a VM", shown);
    return err_hint(err,
                    "Use a-z, 0-9 and '-', begin with a letter, end with a letter or digit, at "
                    "most %d characters.",
                    PLAN_NAME_MAX);
}

int plan_check_name_free(const char *name, struct err *err)
{
    if (!record_exists(name))
        return 0;
    err_set(err, ERR_EXISTS, "name: there is a VM \"%s\" already", name);
    return err_hint(err, "Choose another name, or delete that VM first.");
}

static int check_range(const char *field, const char *unit, uint32_t value, uint32_t min,
                       uint32_t max, struct err *err)
{
    if (value >= min && value <= max)
        return 0;
    err_set(err, ERR_INVALID, "%s: %u%s is not possible here", field, value, unit);
    return err_hint(err, "Choose between %u and %u%s.", min, max, unit);
}

int plan_check(const struct vm_plan *plan, const struct host_size *size, struct err *err)
{
    if (plan_check_name(plan->name, err) < 0)
        return -1;
    if (check_range("cpus", "", plan->cpus, 1, size->cpus, err) < 0 ||
        check_range("memory", " MiB", plan->memory_mib, PLAN_MEMORY_MIN_MIB, size->memory_mib,
                    err) < 0 ||
        check_range("disk", " GiB", plan->disk_gib, PLAN_DISK_MIN_GIB, PLAN_DISK_MAX_GIB, err) < 0)
        return -1;
    if (!str_eq(plan->accel, "auto") && !str_eq(plan->accel, "kvm") &&
        !str_eq(plan->accel, "tcg")) {
        err_set(err, ERR_INVALID, "accel: must be auto, kvm or tcg");
        return err_hint(err, "\"auto\" takes KVM where the host can, else emulation.");
    }
    if (plan->network >= VM_NETWORK_COUNT) {
        err_set(err, ERR_INVALID, "network: must be user or nat");
        return err_hint(err,
                        "\"user\" needs no rights; \"nat\" gives the VM an address of its own.");
    }
    if (plan->bundle[0] && plan->bundle[0] != '/') {
        err_set(err, ERR_INVALID, "bundle: must be an absolute path");
        return err_hint(err, "Leave it empty to take the bundle that came with Berth.");
    }
    return 0;
}
