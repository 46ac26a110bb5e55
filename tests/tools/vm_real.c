/* One VM on the real libvirt through vm/ alone, driven by tests/e2e/vm_boot.sh:
 *
 *   vm_real check                    what this host can do
 *   vm_real make NAME BUNDLE NETWORK everything up to the power switch
 *   vm_real start|stop|kill|purge NAME
 *   vm_real show NAME                "state started_ms address port"
 *   vm_real stats NAME
 *   vm_real list                     what exists */
#include "core/base/path.h"
#include "core/base/str.h"
#include "vm/accel.h"
#include "vm/bundle.h"
#include "vm/disk.h"
#include "vm/domain.h"
#include "vm/inventory.h"
#include "vm/network.h"
#include "vm/plan.h"
#include "vm/seed.h"
#include "vm/stats.h"

#include <stdio.h>
#include <string.h>

#define SHUTDOWN_LIMIT_MS 30000

static int cmd_check(struct err *err)
{
    static struct host_report r;
    if (host_check(NULL, &r, err) < 0)
        return -1;
    for (size_t i = 0; i < r.n; i++)
        printf("%-5s %-10s %s%s%s\n", light_name(r.checks[i].light), r.checks[i].label,
               r.checks[i].text, r.checks[i].hint[0] ? "  -> " : "", r.checks[i].hint);
    printf("accel %s (%s), libvirt %s\n", r.accel, r.accel_why, r.uri);
    return 0;
}

static int cmd_make(struct vm_conn *conn, char **args, struct err *err)
{
    static struct bundle bundle, checked;
    struct accel_sources sources = accel_sources();
    struct accel_choice accel;
    struct host_size size;
    struct vm_plan plan;
    struct vm_record r;
    if (host_size_read(&size, err) < 0)
        return -1;
    plan_default(&size, args[0], &plan);
    STR_SET(plan.name, args[0]);
    if (vm_network_parse(args[2], &plan.network, err) < 0 || plan_check(&plan, &size, err) < 0 ||
        plan_check_name_free(plan.name, err) < 0 ||
        domain_check_name_free(conn, plan.name, err) < 0 ||
        accel_choose(plan.accel, &sources, &accel, err) < 0 ||
        bundle_find(args[1], &bundle, err) < 0)
        return -1;
    record_init(&r, &plan);
    STR_SET(r.accel, accel_name(accel.kind));
    STR_SET(r.uri, vm_conn_uri(conn));
    STR_SET(r.bundle_version, bundle.version);
    if (plan.network == VM_NETWORK_USER && !(r.ssh_port = network_pick_port(err)))
        return -1;
    if (record_save(&r, err) < 0 || seed_prepare(&r, err) < 0 || record_save(&r, err) < 0)
        return -1;
    char *slot = record_path(r.name, r.slot);
    char *disk = record_path(r.name, RECORD_DISK);
    int result = bundle_install(&bundle, slot, NULL, err) < 0 ||
                         bundle_verify(slot, NULL, &checked, err) < 0 ||
                         disk_create(disk, plan.disk_gib, err) < 0 ||
                         domain_define(conn, &r, err) < 0
                     ? -1
                     : 0;
    free(slot);
    free(disk);
    return result;
}

static int cmd_show(struct vm_conn *conn, const struct vm_record *r, struct err *err)
{
    struct domain_status s;
    char address[NETWORK_ADDRESS_MAX] = "127.0.0.1";
    if (domain_status(conn, r->name, &s, err) < 0)
        return -1;
    if (r->plan.network == VM_NETWORK_NAT && network_nat_address(conn, r->mac, address, NULL) < 0)
        STR_SET(address, "-");
    printf("%s %llu %s %u %s\n", vm_state_name(s.state), (unsigned long long)s.started_ms, address,
           r->ssh_port ? r->ssh_port : 22, s.reason);
    return 0;
}

static int cmd_stats(struct vm_conn *conn, const char *name, struct err *err)
{
    struct vm_stats s;
    if (vm_stats_read(conn, name, &s, err) < 0)
        return -1;
    printf("cpu_ms=%llu cpus=%u memory=%llu used=%llu host=%llu read=%llu written=%llu disk=%llu "
           "net=%d rx=%llu tx=%llu\n",
           (unsigned long long)s.cpu_ns / 1000000, s.cpus, (unsigned long long)s.memory,
           (unsigned long long)s.memory_used, (unsigned long long)s.memory_host,
           (unsigned long long)s.disk_read, (unsigned long long)s.disk_written,
           (unsigned long long)s.disk_allocated, s.net_known, (unsigned long long)s.net_rx,
           (unsigned long long)s.net_tx);
    return 0;
}

static int cmd_list(struct vm_conn *conn, struct err *err)
{
    static struct inventory inv;
    if (inventory_read(conn, &inv, err) < 0)
        return -1;
    for (size_t i = 0; i < inv.n; i++)
        printf("%s folder=%d record=%d domain=%d running=%d\n", inv.vms[i].name, inv.vms[i].folder,
               inv.vms[i].record, inv.vms[i].domain, inv.vms[i].running);
    return 0;
}

static int run_on_vm(struct vm_conn *conn, const char *verb, const char *name, struct err *err)
{
    struct vm_record r;
    if (str_eq(verb, "purge"))
        return inventory_purge(conn, name, err);
    if (record_load(name, &r, err) < 0)
        return -1;
    if (str_eq(verb, "start"))
        return domain_start(conn, &r, err);
    if (str_eq(verb, "kill"))
        return domain_force_off(conn, name, err);
    if (str_eq(verb, "show"))
        return cmd_show(conn, &r, err);
    if (str_eq(verb, "stats"))
        return cmd_stats(conn, name, err);
    bool forced = false;
    if (domain_shutdown(conn, name, SHUTDOWN_LIMIT_MS, NULL, &forced, err) < 0)
        return -1;
    printf("%s\n", forced ? "forced" : "clean");
    return 0;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    auto_vm_conn struct vm_conn *conn = NULL;
    const char *verb = argc > 1 ? argv[1] : "";
    int result = path_prepare(&err);
    if (result == 0 && str_eq(verb, "check"))
        result = cmd_check(&err);
    else if (result == 0)
        result = vm_conn_open(NULL, VM_CONN_START, &conn, &err);
    if (conn && str_eq(verb, "make") && argc == 5)
        result = cmd_make(conn, argv + 2, &err);
    else if (conn && str_eq(verb, "list"))
        result = cmd_list(conn, &err);
    else if (conn && argc == 3)
        result = run_on_vm(conn, verb, argv[2], &err);
    if (result < 0)
        (void)fprintf(stderr, "vm_real %s: %s (%s) hint: %s\n", verb, err.msg,
                      err_kind_name(err.kind), err.hint);
    return result < 0;
}
