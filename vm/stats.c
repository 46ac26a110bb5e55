/* See stats.h. libvirt answers all of it in one call, as a list of names and values. */
#include "vm/stats.h"

#include "core/base/clock.h"
#include "core/base/str.h"
#include "vm/virt.h"

#define GROUPS                                                                     \
    (VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_CPU_TOTAL | VIR_DOMAIN_STATS_VCPU | \
     VIR_DOMAIN_STATS_BALLOON | VIR_DOMAIN_STATS_BLOCK | VIR_DOMAIN_STATS_INTERFACE)
#define DATA_DISK "vdb"
#define PARTS_MAX 16 /* disks or interfaces that are counted */

static uint64_t value_of(const virDomainStatsRecord *r, const char *name)
{
    unsigned long long value = 0;
    return virTypedParamsGetULLong(r->params, r->nparams, name, &value) == 1 ? value : 0;
}

static uint32_t count_of(const virDomainStatsRecord *r, const char *name)
{
    unsigned int value = 0;
    (void)virTypedParamsGetUInt(r->params, r->nparams, name, &value);
    return value;
}

/* "GROUP.INDEX.LEAF" */
static uint64_t part_of(const virDomainStatsRecord *r, const char *group, uint32_t index,
                        const char *leaf)
{
    char name[64];
    (void)str_format(name, sizeof(name), "%s.%u.%s", group, index, leaf);
    return value_of(r, name);
}

static void read_memory(const virDomainStatsRecord *r, struct vm_stats *s)
{
    s->memory = value_of(r, "balloon.current") * 1024;
    s->memory_host = value_of(r, "balloon.rss") * 1024;
    /* "usable" counts what the guest's kernel could give back; older balloons tell only "unused".
     */
    uint64_t available = value_of(r, "balloon.available") * 1024;
    uint64_t usable = value_of(r, "balloon.usable") * 1024;
    uint64_t unused = value_of(r, "balloon.unused") * 1024;
    uint64_t idle = usable ? usable : unused;
    if (available > idle)
        s->memory_used = available - idle;
}

static void read_disks(const virDomainStatsRecord *r, struct vm_stats *s)
{
    uint32_t n = count_of(r, "block.count");
    for (uint32_t i = 0; i < n && i < PARTS_MAX; i++) {
        s->disk_read += part_of(r, "block", i, "rd.bytes");
        s->disk_written += part_of(r, "block", i, "wr.bytes");
        char name[64];
        const char *target = NULL;
        (void)str_format(name, sizeof(name), "block.%u.name", i);
        if (virTypedParamsGetString(r->params, r->nparams, name, &target) == 1 &&
            str_eq(target, DATA_DISK))
            s->disk_allocated = part_of(r, "block", i, "allocation");
    }
}

static void read_network(const virDomainStatsRecord *r, struct vm_stats *s)
{
    uint32_t n = count_of(r, "net.count");
    s->net_known = n > 0;
    for (uint32_t i = 0; i < n && i < PARTS_MAX; i++) {
        s->net_rx += part_of(r, "net", i, "rx.bytes");
        s->net_tx += part_of(r, "net", i, "tx.bytes");
    }
}

int vm_stats_read(struct vm_conn *conn, const char *name, struct vm_stats *ret_stats,
                  struct err *err)
{
    auto_virt_domain virDomainPtr domain = virt_domain_find(conn, name, err);
    if (!domain)
        return -1;
    virDomainPtr wanted[] = {domain, NULL};
    virDomainStatsRecordPtr *records = NULL;
    struct vm_stats s = {.at_ms = clock_mono_ms()};
    int n = virDomainListGetStats(wanted, GROUPS, &records, 0);
    if (n < 0)
        return virt_err(err, "look at VM %s", name);
    int state = VIR_DOMAIN_NOSTATE;
    if (n > 0) {
        const virDomainStatsRecord *r = records[0];
        (void)virTypedParamsGetInt(r->params, r->nparams, "state.state", &state);
        s.cpu_ns = value_of(r, "cpu.time");
        s.cpus = count_of(r, "vcpu.current");
        read_memory(r, &s);
        read_disks(r, &s);
        read_network(r, &s);
    }
    virDomainStatsRecordListFree(records);
    if (n == 0 || state == VIR_DOMAIN_SHUTOFF)
        return err_set(err, ERR_NOT_FOUND, "VM %s is off", name);
    *ret_stats = s;
    return 0;
}

double vm_stats_cpu_percent(const struct vm_stats *before, const struct vm_stats *now)
{
    if (now->at_ms <= before->at_ms || now->cpu_ns < before->cpu_ns || now->cpus == 0)
        return -1;
    double wall_ns = (double)(now->at_ms - before->at_ms) * 1e6;
    double percent = 100.0 * (double)(now->cpu_ns - before->cpu_ns) / (wall_ns * now->cpus);
    return percent > 100.0 ? 100.0 : percent;
}
